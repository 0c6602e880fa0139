import type { Section } from '../section.ts'
import { bulk } from './bulk.ts'
import { delegation } from './delegation.ts'
import { gossip } from './gossip.ts'
import { growth } from './growth.ts'
import { handshake } from './handshake.ts'
import { memory } from './memory.ts'
import { oneWay } from './one-way.ts'
import { requests } from './requests.ts'
import { slowReader } from './slow-reader.ts'

/** All sections, in the order they are run and shown. */
export const SECTIONS: readonly Section[] = [requests, oneWay, gossip, handshake, delegation, bulk, slowReader, memory, growth]
