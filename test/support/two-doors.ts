/** An agent for tests, to be loaded with --module: one capability for everybody, one for its owner. */
import type { Agent } from '../../src/core/agent.ts'

export default async function provide (agent: Agent): Promise<void> {
  await agent.provide('open.echo', { public: true, run: input => input })
  await agent.provide('closed.echo', { run: input => input })
}
