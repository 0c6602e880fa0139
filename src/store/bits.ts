/** Single bits that went over, as they do on disks that age and in memory without parity. */
import { crc32 } from 'node:zlib'

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

/**
 * The same for a CRC-32, at once: it is linear, so what one bit changes in it depends on the bit's place alone. That a
 * damage of several bits looks like one happens once in some 100,000.
 */
export function turnBackTo (bytes: Uint8Array, sum: number): boolean {
  const wanted = (crc32(bytes) ^ sum) >>> 0
  const changes = Array.from({ length: 8 }, (_, bit) => changeBy(1 << bit))
  for (let i = bytes.length - 1; i >= 0; i--) {
    const bit = changes.indexOf(wanted)
    if (bit >= 0) {
      bytes[i] = bytes[i] as number ^ 1 << bit
      return true
    }
    // The same bit one byte earlier: one more byte goes through the sum after it.
    for (const [n, change] of changes.entries()) changes[n] = (change >>> 8 ^ (CHANGES[change & 0xff] as number)) >>> 0
  }
  return false
}

const changeBy = (byte: number): number => (crc32(Uint8Array.of(byte)) ^ crc32(Uint8Array.of(0))) >>> 0
const CHANGES = Uint32Array.from({ length: 256 }, (_, byte) => changeBy(byte))

/** Whether two words of 32 bits differ in exactly one. */
export function differInOneBit (a: number, b: number): boolean {
  const differing = (a ^ b) >>> 0
  return differing !== 0 && (differing & (differing - 1)) === 0
}
