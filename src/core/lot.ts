/**
 * A number from 0 to 2³² − 1 that looks as if drawn, and is the same wherever the same is asked: FNV-1a, mixed as MurmurHash3
 * ends. Nobody can bias it by arriving first, it is fair to names that are alike, and a replay draws alike.
 */
export function lot (key: string, name: string): number {
  let hash = 0x811c9dc5
  for (const char of key + name) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
