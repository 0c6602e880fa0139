/** JSON that a command is given. */
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { A2aError, messageOf } from '../core/errors.ts'

/**
 * JSON itself, `@FILE`, or `-` for stdin.
 * @param what the option or argument, for who gave something else
 * @throws A2aError BAD_USAGE
 */
export async function readJson (given: string, what: string): Promise<unknown> {
  if (given === '-') return parseJson(await text(process.stdin), 'stdin')
  if (!given.startsWith('@')) return parseJson(given, what)
  const file = given.slice(1)
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    throw new A2aError({ code: 'BAD_USAGE', why: `cannot read the input: ${messageOf(error)}` })
  }
  return parseJson(content, file)
}

/** @throws A2aError BAD_USAGE */
export function parseJson (json: string, what: string): unknown {
  try {
    return JSON.parse(json)
  } catch (error) {
    throw new A2aError({ code: 'BAD_USAGE', why: `${what} is no JSON: ${messageOf(error)}`, hint: "a text needs quotes of its own: --input '\"hello\"'" })
  }
}
