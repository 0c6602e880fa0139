/** NATS request–reply with TLS, through a server of its own on this machine. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { Broker, Scene, Subject } from '../subject.ts'

const START_MS = 10_000

/** Where Debian puts it is not on everybody's PATH. */
const program = (): string | undefined => [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin']
  .map(folder => join(folder, 'nats-server'))
  .find(file => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })

export const natsServer: Broker = {
  missing: async () => program() === undefined ? 'nats-server; get it with: apt-get install nats-server, or from https://github.com/nats-io/nats-server/releases' : undefined,
  version: async () => (await promisify(execFile)(program() ?? '', ['--version'])).stdout.replace(/^nats-server: v?/, '').trim(),
  start: async ({ folder, tls }) => {
    const config = join(folder, 'nats.conf')
    writeFileSync(join(folder, 'cert.pem'), tls.cert)
    writeFileSync(join(folder, 'key.pem'), tls.key, { mode: 0o600 })
    writeFileSync(config, `
      host: "127.0.0.1"
      port: -1
      max_payload: 8388608
      tls { cert_file: ${JSON.stringify(join(folder, 'cert.pem'))}, key_file: ${JSON.stringify(join(folder, 'key.pem'))} }`)
    const server = spawn(program() ?? '', ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    const ready = Promise.withResolvers<void>()
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4_000)
      if (said.includes('Server is ready')) ready.resolve()
    })
    server.on('error', ready.reject).on('exit', () => { ready.reject(new Error(`nats-server ended: ${said}`)) })
    const late = setTimeout(() => { ready.reject(new Error(`nats-server was not ready within ${START_MS} ms: ${said}`)) }, START_MS)
    const stop = async (): Promise<void> => {
      if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return
      const gone = once(server, 'exit')
      server.kill('SIGKILL')
      await gone
    }
    try {
      await ready.promise
      const [, address = ''] = /Listening for client connections on (\S+)/.exec(said) ?? []
      return { address, pid: server.pid ?? 0, [Symbol.asyncDispose]: stop }
    } catch (error) {
      await stop()
      throw error
    } finally {
      clearTimeout(late)
    }
  }
}

export const nats: Subject = {
  id: 'nats',
  title: 'NATS with TLS',
  over: 'TCP, TLS 1.3, through nats-server',
  packages: ['@nats-io/transport-node'],
  broker: natsServer,

  serve: async scene => {
    const connection = await joined(scene)
    connection.subscribe('bench.echo', { callback: (_, message) => { message.respond(message.data) } })
    connection.subscribe('bench.sink', { callback: () => { scene.arrived() } })
    await connection.flush()
    return { address: null, [Symbol.asyncDispose]: () => connection.close() }
  },

  connect: async (_, scene) => {
    const connection = await joined(scene)
    let told = 0
    return {
      request: async payload => (await connection.request('bench.echo', payload, { timeout: 30_000 })).data.length,
      tell: payload => {
        connection.publish('bench.sink', payload)
        // Its client queues without a bound: what is told of backpressure there is flush().
        return ++told % 512 === 0 ? connection.flush() : undefined
      },
      flush: () => connection.flush(),
      [Symbol.asyncDispose]: () => connection.close()
    }
  },

  stranger: async (_, scene) => {
    let connection: Awaited<ReturnType<typeof joined>> | undefined
    return {
      reach: async () => {
        connection = await joined(scene)
        await connection.request('bench.echo', 'hello', { timeout: 30_000 })
      },
      [Symbol.asyncDispose]: async () => { await connection?.close() }
    }
  }
}

const joined = async ({ broker, tls }: Scene) => {
  const { connect } = await import('@nats-io/transport-node')
  return await connect({ servers: broker, tls: { ca: tls.cert }, reconnect: false })
}
