/** The parts a measured process can play. */
import type { Actor } from './messages.ts'

/** Each is loaded when it is played: a process that measures NATS has nothing of ours in it but the load. */
export const ACTORS: Record<string, (args: any) => Promise<Actor>> = {
  'echo-server': async args => await (await import('./parts/echo.ts')).echoServer(args),
  'echo-caller': async args => await (await import('./parts/echo.ts')).echoCaller(args),
  'gossip-hearers': async args => await (await import('./parts/gossip.ts')).gossipHearers(args),
  'gossip-speaker': async args => await (await import('./parts/gossip.ts')).gossipSpeaker(args),
  'soak-node': async args => await (await import('./parts/soak.ts')).soakNode(args),
  newcomer: async args => await (await import('./parts/newcomer.ts')).newcomer(args),
  crowd: async args => await (await import('./parts/crowd.ts')).crowd(args),
  'mesh-provider': async args => await (await import('./parts/mesh.ts')).meshProvider(args),
  'mesh-requester': async args => await (await import('./parts/mesh.ts')).meshRequester(args),
  'slow-reader': async args => await (await import('./parts/slow.ts')).slowReader(args),
  'slow-writer': async args => await (await import('./parts/slow.ts')).slowWriter(args)
}
