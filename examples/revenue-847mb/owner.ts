/** Owns the dataset. It says what there is; the bytes go straight to whoever fetches them. */
import { startAgent } from '../agent.ts'

const file = process.argv[3] ?? ''

await startAgent('owner', async agent => {
  const dataset = await agent.send(file, { mediaType: 'application/vnd.apache.arrow.stream' })
  await agent.provide('data.sales.dataset', {
    description: 'Sales of three years, line by line, as a stream of Arrow record batches',
    input: { type: 'object', additionalProperties: false },
    output: { type: 'object', required: ['dataset'] },
    bid: (_call, load) => ({ cost: 1, durationMs: 50, confidence: 0.99 - load / 2 }),
    run: () => ({ dataset })
  })
})
