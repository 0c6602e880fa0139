/** Bounds of discovery that more than one file keeps to. */

/** Adverts in one answer. */
export const QUERY_LIMIT = 256
/** Room for adverts in an `advert.list`, in characters. */
export const LIST_ROOM = 1_000_000
/** Peers asked when an index knows nobody. */
export const ASK_PEERS = 16
/** How long a search waits for the answers of peers, in ms, while it has something already. */
export const ASK_MS = 500
