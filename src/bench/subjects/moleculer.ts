/**
 * Moleculer's TCP transporter, with its JSON serializer, which is its default, and what only costs time switched off. Its
 * transporter listens on every interface and has no option for that: in these processes a server without a host gets 127.0.0.1.
 */
import { Server } from 'node:net'
import type { BrokerOptions, ServiceBroker } from 'moleculer'
import type { Scene, Subject } from '../subject.ts'

const SERVER = 'bench-server'
const CLIENT = 'bench-client'
const CONNECT_MS = 20_000

export const moleculer: Subject = {
  id: 'moleculer',
  title: 'Moleculer over TCP',
  over: 'TCP, JSON, not encrypted',
  packages: ['moleculer'],

  serve: async scene => {
    const broker = await start(SERVER, scene)
    return { address: portOf(broker), [Symbol.asyncDispose]: () => broker.stop() }
  },

  connect: async (port: number, scene) => {
    const broker = await start(CLIENT, scene, `tcp://127.0.0.1:${port}/${SERVER}`)
    await broker.waitForServices('bench', CONNECT_MS, 50)
    return {
      request: async payload => (await broker.call<string, string>('bench.echo', payload.toString('latin1'))).length,
      tell: payload => broker.emit('bench.sink', payload.toString('latin1')),
      [Symbol.asyncDispose]: () => broker.stop()
    }
  }
}

async function start (nodeID: string, { arrived }: Scene, urls?: string): Promise<ServiceBroker> {
  onlyLoopback()
  const { ServiceBroker } = (await import('moleculer')).default
  const options: BrokerOptions = {
    nodeID, logger: false, metrics: false, tracing: false, validator: false, requestTimeout: 0,
    transporter: { type: 'TCP', options: { udpDiscovery: false, urls, useHostname: true } }
  }
  const broker = new ServiceBroker(options)
  Object.assign(broker.registry?.nodes.localNode ?? {}, { hostname: '127.0.0.1', ipList: ['127.0.0.1'] })
  if (nodeID === SERVER) {
    broker.createService({
      name: 'bench',
      actions: { echo: ({ params }) => params },
      events: { 'bench.sink': () => { arrived() } }
    })
  }
  await broker.start()
  return broker
}

/** The system chose it. Moleculer keeps it where its types do not show it. */
const portOf = (broker: ServiceBroker): number => (broker.transit as unknown as { tx: { opts: { port: number } } }).tx.opts.port

function onlyLoopback (): void {
  const listen = Server.prototype.listen as (this: Server, ...args: any[]) => Server
  Server.prototype.listen = function (this: Server, options: unknown, ...rest: unknown[]) {
    return listen.call(this, typeof options === 'object' && options !== null ? { host: '127.0.0.1', ...options } : options, ...rest)
  }
}
