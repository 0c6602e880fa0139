import type { Finds, Report } from './report.ts'

const MB = 1_048_576

/** The report, for people. */
export function tableOf ({ nodes, processes, agents, ready, join, rest, finds, cold, warmP50, warmP99, older, busyCores, lagP99, refused }: Report): string {
  const rows: Array<[string, string]> = [
    ['nodes, processes, agents', `${nodes}, ${processes}, ${agents}`],
    ['ready', `${ready.all ? 'all' : 'NOT ALL'} after ${(ready.ms / 1_000).toFixed(1)} s`],
    ['to join, a node', `${join.cpuMsPerNode} ms of CPU, ${(join.connectionsPerNode).toFixed(1)} sockets opened, ${Math.round(join.bytesPerNode / 1_024)} KiB sent`],
    ['at rest', `${rest.cores} cores, ${Math.round(rest.rssBytes / MB)} MiB (${(rest.rssBytes / MB / nodes).toFixed(1)} a node)`],
    ['at rest, a node and minute', `${rest.cpuMsPerMinute} ms of CPU, ${rest.writesPerMinute} writes, ${Math.round(rest.bytesPerMinute / 1_024)} KiB`],
    ['connections a node', `${rest.connections} (channels: ${rest.peers.mean}, ${rest.peers.min} to ${rest.peers.max})`],
    ['known to a node', `${rest.known} agents, ${rest.dhtPeers} peers of the DHT`],
    ['finds, all', findsOf(finds)],
    ['finds, cold', findsOf(cold)],
    ['finds, warm', `p50 ${warmP50} ms, p99 ${warmP99} ms`],
    ...(older === undefined ? [] : [['finds of the older', findsOf(older.finds)], ['recall of the older', `${older.recallOfThem} by the others`]] satisfies Array<[string, string]>),
    ['while finding', `${busyCores} cores, event loop p99 ${lagP99} ms`],
    ['refused', JSON.stringify(refused)]
  ]
  return rows.map(([name, value]) => `${name.padEnd(28)}${value}`).join('\n')
}

const findsOf = ({ count, nobody, unanswered, findP50, findP99, handshakeP50, handshakeP99, recall, recallLater, recallWorst, dead }: Finds): string =>
  `${count}, ${nobody} found nobody, ${unanswered} unanswered; find p50 ${findP50} p99 ${findP99} ms; with handshake p50 ${handshakeP50} p99 ${handshakeP99} ms; recall ${recall} (a second later ${recallLater}, worst 10 s ${recallWorst}), dead ${dead}`
