/** An agent for tests, to be loaded with --module into a node of any version: talks with another agent when it is asked to, and answers those who talk with it. */
import type { Agent } from '../../src/core/agent.ts'

export default async function converse (agent: Agent): Promise<void> {
  await agent.onRequest<number>('double', number => 2 * number, { public: true })
  await agent.onDialogue<number, number>('squares', async dialogue => {
    for await (const number of dialogue) await dialogue.send(number * number)
  }, { public: true })
  await agent.provide<{ with: string }>(`talk.${agent.name}`, {
    run: async ({ with: other }) => {
      const doubled = await agent.request(other, 'double', 21)
      await using dialogue = await agent.dialogue<number, number>(other, 'squares')
      for (const number of [2, 3, 4]) await dialogue.send(number)
      await dialogue.end()
      const squares: number[] = []
      for await (const square of dialogue) squares.push(square)
      return { doubled, squares }
    }
  })
}
