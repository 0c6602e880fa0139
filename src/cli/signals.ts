/** SIGINT and SIGTERM: the first asks to end well, the second ends at once. */
export interface Stop extends Disposable {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal
  /** 130 after SIGINT, 143 after SIGTERM. */
  exitCode: () => number
}

/** For the failure of what was waited for: nothing when a signal ended the wait. */
export const leftOr = ({ signal }: Stop) => (error: unknown): undefined => {
  if (!signal.aborted) throw error
}

/** Listens until disposed of. */
export function onStop (): Stop {
  const controller = new AbortController()
  let code = 130
  const stop = (name: NodeJS.Signals): void => {
    code = name === 'SIGTERM' ? 143 : 130
    if (controller.signal.aborted) process.exit(code)
    controller.abort()
  }
  process.on('SIGINT', stop).on('SIGTERM', stop)
  return {
    signal: controller.signal,
    exitCode: () => code,
    [Symbol.dispose]: () => { process.off('SIGINT', stop).off('SIGTERM', stop) }
  }
}
