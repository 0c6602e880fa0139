/** How long a task may take when its owner does not say, in ms. */
export const DEFAULT_DURATION_MS = 60_000

/** Waits for something, or for the signal to abort, whichever is first. Rejects only with what the promise does. */
export async function orAborted (promise: Promise<void>, signal?: AbortSignal): Promise<void> {
  if (signal === undefined || signal.aborted) return signal === undefined ? await promise : undefined
  const left = Promise.withResolvers<void>()
  const leave = (): void => { left.resolve() }
  signal.addEventListener('abort', leave, { once: true })
  await Promise.race([promise, left.promise])
  signal.removeEventListener('abort', leave)
}

/** A deadline of ours, ended earlier by the caller's signal: a caller narrows it and never replaces it. */
export const within = (ms: number, caller?: AbortSignal): AbortSignal =>
  AbortSignal.any([AbortSignal.timeout(Math.max(0, Math.ceil(ms))), ...(caller === undefined ? [] : [caller])])
