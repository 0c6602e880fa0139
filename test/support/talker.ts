/** An agent for tests, to be loaded with --module: counts for whoever asks, and quotes what it hears. */
import type { Agent } from '../../src/core/agent.ts'

export default async function talk (agent: Agent): Promise<void> {
  await agent.onDialogue<string, string>('quote', async dialogue => {
    for await (const message of dialogue) await dialogue.send(`> ${message}`)
  }, { public: true })
  await agent.onDialogue<never, number>('count', async dialogue => {
    for (let i = 0; !dialogue.signal.aborted; i++) await dialogue.send(i)
  }, { public: true })
  await agent.onDialogue('brief', () => {}, { public: true })
  /** Takes a dialogue and does nothing with it. */
  await agent.onDialogue('ignore', dialogue => new Promise(resolve => { dialogue.signal.addEventListener('abort', () => { resolve() }) }), { public: true })
}
