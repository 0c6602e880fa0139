/** Single bits that went over, as they do on disks that age and in memory without parity. */

/**
 * Turns each bit of `bytes` in turn until `holds`: a checksum that is right again after one bit says that it was this one.
 * Left as it was when none helps.
 * @returns whether one did
 */
export function turnBack (bytes: Uint8Array, holds: () => boolean): boolean {
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    for (let bit = 1; bit < 256; bit <<= 1) {
      bytes[i] = byte ^ bit
      if (holds()) return true
    }
    bytes[i] = byte
  }
  return false
}

/** Whether two words of 32 bits differ in exactly one. */
export function differInOneBit (a: number, b: number): boolean {
  const differing = (a ^ b) >>> 0
  return differing !== 0 && (differing & (differing - 1)) === 0
}
