import { shortId, type Console } from '../console.ts'
import { formatDuration } from '../duration.ts'
import { anyNode, type NetworkOptions } from '../session.ts'
import { table } from '../table.ts'

/** `a2a-node peers`. */
export async function peers (console: Console, options: NetworkOptions): Promise<number> {
  await using session = await anyNode(console, options)
  const rows = await session.api.peers()
  for (const row of rows) console.emit(row)
  if (rows.length === 0) console.note('connected to nobody; start another node, or join one with --bootstrap MULTIADDR (see: a2a-node doctor)')
  else if (!console.json) {
    const { verbose } = console
    console.print(table(console, ['PEER', 'DIRECTION', 'ROUND TRIP', 'FOR', 'TRUST', 'AGENTS', ...(verbose ? ['ADDRESSES'] : [])], rows.map(row => [
      verbose ? row.peerId : shortId(row.peerId),
      row.direction,
      row.rttMs === undefined ? '' : formatDuration(row.rttMs),
      formatDuration(row.connectedForMs),
      row.sameUser ? 'same user' : '',
      row.agents.map(id => verbose ? id : shortId(id)).join(' '),
      ...(verbose ? [row.addresses.join(' ')] : [])
    ])))
  }
  return 0
}
