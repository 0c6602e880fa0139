import type { Section } from '../section.ts'
import { delegation } from './delegation.ts'
import { oneWay } from './one-way.ts'
import { requests } from './requests.ts'

/** All sections, in the order they are run and shown. */
export const SECTIONS: readonly Section[] = [requests, oneWay, delegation]
