import type { ChildProcess } from 'node:child_process'

/** Waits for a process that was told to end, and ends it by force when it has not after `ms`. */
export async function ended (child: ChildProcess, ms: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  await new Promise<void>(resolve => {
    const late = setTimeout(() => child.kill('SIGKILL'), ms)
    child.once('exit', () => {
      clearTimeout(late)
      resolve()
    })
  })
}
