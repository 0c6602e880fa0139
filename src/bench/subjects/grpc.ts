/** gRPC over HTTP/2 with TLS: unary calls of a service that passes bytes, and a client's stream for messages without an answer. */
import type { ServiceDefinition, ServerUnaryCall, ServerReadableStream, sendUnaryData } from '@grpc/grpc-js'
import type { Subject } from '../subject.ts'

const same = (bytes: Buffer): Buffer => bytes
const method = (name: string, requestStream: boolean) => ({
  path: `/bench.Bench/${name}`, requestStream, responseStream: false,
  requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same
})
const service = { echo: method('Echo', false), sink: method('Sink', true) } satisfies ServiceDefinition

export const grpc: Subject = {
  id: 'grpc',
  title: 'gRPC with TLS',
  over: 'TCP, TLS 1.3, HTTP/2',
  packages: ['@grpc/grpc-js'],

  serve: async ({ tls, arrived }) => {
    const { Server, ServerCredentials } = await import('@grpc/grpc-js')
    const server = new Server()
    server.addService(service, {
      echo: ({ request }: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => { reply(null, request) },
      sink: (call: ServerReadableStream<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => { call.on('data', arrived).on('error', () => undefined).on('end', () => { reply(null, Buffer.alloc(0)) }) }
    })
    const credentials = ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(tls.cert), private_key: Buffer.from(tls.key) }])
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', credentials, (error, port) => {
        if (error === null) resolve(port)
        else reject(error)
      })
    })
    return { address: port, [Symbol.asyncDispose]: async () => { server.forceShutdown() } }
  },

  connect: async (port: number, { tls }) => {
    const { Client, credentials } = await import('@grpc/grpc-js')
    const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(tls.cert)))
    const telling = client.makeClientStreamRequest(service.sink.path, same, same, () => undefined)
    telling.on('error', () => undefined)
    return {
      request: payload => new Promise((resolve, reject) => {
        client.makeUnaryRequest(service.echo.path, same, same, payload, (error, reply) => {
          if (error === null) resolve(reply?.length ?? 0)
          else reject(error)
        })
      }),
      tell: payload => telling.write(payload) ? undefined : new Promise(resolve => { telling.once('drain', () => { resolve() }) }),
      [Symbol.asyncDispose]: async () => {
        telling.cancel()
        client.close()
      }
    }
  },

  stranger: async (port: number, { tls }) => {
    const { Client, credentials } = await import('@grpc/grpc-js')
    const options = { 'grpc.use_local_subchannel_pool': 1 } // else a closed client's connection would serve the next
    const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(tls.cert)), options)
    return {
      reach: () => new Promise<void>((resolve, reject) => {
        client.makeUnaryRequest(service.echo.path, same, same, Buffer.from('hello'), error => {
          if (error === null) resolve()
          else reject(error)
        })
      }),
      [Symbol.asyncDispose]: async () => { client.close() }
    }
  }
}
