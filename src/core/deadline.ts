/** How long a task may take when its owner does not say, in ms. */
export const DEFAULT_DURATION_MS = 60_000

/** A deadline of ours, ended earlier by the caller's signal: a caller narrows it and never replaces it. */
export const within = (ms: number, caller?: AbortSignal): AbortSignal =>
  AbortSignal.any([AbortSignal.timeout(Math.max(0, Math.ceil(ms))), ...(caller === undefined ? [] : [caller])])
