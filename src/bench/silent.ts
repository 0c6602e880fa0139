import type { Logger } from '../core/ports.ts'

/** What goes wrong in a measured process comes back as an error; its log would only cost time. */
export const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
