/** Owns the dataset. It tells what there is; the bytes go straight to whoever fetches them. */
import { stat } from 'node:fs/promises'
import { startAgent } from '../agent.ts'
import type { ContentRef } from './content.ts'

const file = process.argv[3] ?? ''
const dataset: ContentRef = { hash: file, bytes: (await stat(file)).size, file }

await startAgent('owner', agent => agent.provide('data.sales.dataset', {
  description: 'Sales of three years, line by line, as a stream of Arrow record batches',
  input: { type: 'object', additionalProperties: false },
  output: { type: 'object', required: ['dataset'] },
  bid: (_call, load) => ({ cost: 1, durationMs: 50, confidence: 0.99 - load / 2 }),
  run: () => ({ dataset })
}))
