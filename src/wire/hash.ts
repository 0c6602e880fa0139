/** SHA-256 as statements, contracts and payloads use it. */
import { hash } from 'node:crypto'

/** 32 bytes. */
export const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer')

/** SHA-256 in base64url without padding: 43 characters, the form that payloads carry. */
export const hashOf = (bytes: Uint8Array): string => hash('sha256', bytes, 'base64url')
