/** Process groups: a program and all that it starts, ended together. */
const running = new Set<number>()

/** Groups that must not outlive this process, even when it exits in a hurry. */
export function tie (pid: number): void {
  if (running.size === 0) process.on('exit', killRunning)
  running.add(pid)
}

/** Undoes `tie`. */
export function untie (pid: number): void {
  running.delete(pid)
  if (running.size === 0) process.off('exit', killRunning)
}

/** Sends a signal to everybody in a group. That nobody is left is no error, nor that one of them is not ours to end. */
export function signalGroup (pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ESRCH' && code !== 'EPERM') throw error
  }
}

function killRunning (): void {
  for (const pid of running) signalGroup(pid, 'SIGKILL')
}
