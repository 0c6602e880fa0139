import { printable, type Console } from '../console.ts'
import { anyNode, type NetworkOptions } from '../session.ts'

const SIGNS = { ok: ['green', 'ok'], warning: ['yellow', 'warning'], failed: ['red', 'FAILED'] } as const

/** `a2a-node doctor`, or why something is not found. Exit code 1 when a check failed; a warning is none. */
export async function doctor (console: Console, { why, ...options }: NetworkOptions & { why?: string }): Promise<number> {
  await using session = await anyNode(console, options)
  if (session.shortLived) console.note('no node runs with this home: looked at through a short-lived one')
  const checks = await session.api.doctor(why)
  const width = Math.max(...checks.map(({ name }) => name.length))
  for (const check of checks) {
    const [colour, sign] = SIGNS[check.state]
    console.emit(check)
    console.print(`${console.style(colour, sign.padEnd(7))}  ${check.name.padEnd(width)}  ${printable(check.found)}`)
    if (check.advice !== undefined) console.print(`${' '.repeat(width + 11)}→ ${printable(check.advice)}`)
  }
  return checks.some(({ state }) => state === 'failed') ? 1 : 0
}
