/**
 * The A2A protocol by its official SDK, as its README has it: JSON-RPC `SendMessage` over HTTP/1.1 with kept connections,
 * through its handler for express. The agent answers with a message, so no task is stored.
 */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import type { AgentCard, Message } from '@a2a-js/sdk'
import type { Subject } from '../subject.ts'

/** `Role` of the SDK, whose enum is not there before the package is. */
const USER = 1
const AGENT = 2

export const a2aSdk: Subject = {
  id: 'a2a-sdk',
  title: 'A2A SDK over HTTP',
  over: 'TCP, HTTP/1.1, JSON-RPC, not encrypted',
  packages: ['@a2a-js/sdk', 'express'],
  oneWay: false,

  serve: async () => {
    const { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } = await import('@a2a-js/sdk/server')
    const { jsonRpcHandler, UserBuilder } = await import('@a2a-js/sdk/server/express')
    // @ts-expect-error it brings no types, and these few calls need no package for them
    const { default: express } = await import('express')
    const card = cardAt(`http://127.0.0.1:${await freePort()}/`)
    const handler = new DefaultRequestHandler(card, new InMemoryTaskStore(), {
      execute: async ({ userMessage, contextId }, bus) => {
        bus.publish(AgentEvent.message(messageOf(AGENT, userMessage.messageId, userMessage.parts, contextId)))
        bus.finished()
      },
      cancelTask: async () => undefined
    })
    const app = express()
    app.use(jsonRpcHandler({ requestHandler: handler, userBuilder: UserBuilder.noAuthentication }))
    const { port } = new URL(card.supportedInterfaces[0]?.url ?? '')
    const server = app.listen(Number(port), '127.0.0.1')
    await once(server, 'listening')
    return {
      address: card,
      [Symbol.asyncDispose]: async () => {
        server.close()
        server.closeAllConnections()
      }
    }
  },

  connect: async (card: AgentCard) => {
    const { ClientFactory } = await import('@a2a-js/sdk/client')
    const client = await new ClientFactory().createFromAgentCard(card)
    let sent = 0
    return {
      request: async payload => {
        const part = { content: { $case: 'text' as const, value: payload.toString('latin1') }, metadata: undefined, filename: '', mediaType: 'text/plain' }
        const reply = await client.sendMessage({
          tenant: '', metadata: undefined, message: messageOf(USER, `m-${sent++}`, [part]),
          configuration: { acceptedOutputModes: ['text/plain'], taskPushNotificationConfig: undefined, returnImmediately: false }
        })
        const [answer] = 'parts' in reply ? reply.parts : []
        return answer?.content?.$case === 'text' ? answer.content.value.length : 0
      },
      [Symbol.asyncDispose]: async () => undefined
    }
  }
}

const messageOf = (role: typeof USER | typeof AGENT, messageId: string, parts: Message['parts'], contextId = ''): Message =>
  ({ messageId, contextId, taskId: '', role, parts, metadata: undefined, extensions: [], referenceTaskIds: [] })

const cardAt = (url: string): AgentCard => ({
  name: 'echo', description: 'Says what it hears.', version: '1.0.0',
  supportedInterfaces: [{ url, protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' }],
  provider: undefined, capabilities: { streaming: false, pushNotifications: false, extensions: [], extendedAgentCard: false },
  securitySchemes: {}, securityRequirements: [], defaultInputModes: ['text/plain'], defaultOutputModes: ['text/plain'], skills: [], signatures: []
})

/** Its card names the port before its server listens. */
async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
