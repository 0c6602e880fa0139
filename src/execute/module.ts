/** A file of the user's as an agent: `a2a-node start --module agent.ts`. */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Agent, Provision } from '../core/agent.ts'
import { parseCapability } from '../core/capability.ts'
import { A2aError, messageOf } from '../core/errors.ts'

const HINT = 'export default a function (agent) => …, or export const capabilities = { "some.name": { run } }'

/**
 * Imports a module that describes an agent: its default export is a function that is given the agent, or it exports
 * `capabilities`, an object of provisions by capability name. TypeScript goes as far as Node strips it.
 *
 * @returns what makes an agent of it
 * @throws A2aError BAD_USAGE when there is no such file, it cannot be imported, or it exports neither; CAPABILITY_INVALID
 */
export async function loadModule (file: string): Promise<(agent: Agent) => Promise<void>> {
  const path = resolve(file)
  const found = await stat(path).catch(() => undefined)
  if (found?.isFile() !== true) throw new A2aError({ code: 'BAD_USAGE', why: `there is no file ${path}` })
  const module = await importFrom(path)

  if (typeof module.default === 'function') {
    const build = module.default as (agent: Agent) => unknown
    return async agent => { await build(agent) }
  }
  const provisions = provisionsIn(module.capabilities, path)
  return async agent => {
    for (const [name, provision] of provisions) await agent.provide(name, provision)
  }
}

async function importFrom (path: string): Promise<Record<string, unknown>> {
  try {
    return await import(pathToFileURL(path).href) as Record<string, unknown>
  } catch (error) {
    const kind = error instanceof Error && error.name !== 'Error' ? `${error.name}: ` : ''
    throw new A2aError({ code: 'BAD_USAGE', why: `cannot load ${path}: ${kind}${messageOf(error)}` }, { cause: error })
  }
}

function provisionsIn (capabilities: unknown, path: string): Array<[string, Provision]> {
  if (typeof capabilities !== 'object' || capabilities === null || Object.keys(capabilities).length === 0) {
    throw new A2aError({ code: 'BAD_USAGE', why: `${path} offers nothing`, hint: HINT })
  }
  return Object.entries(capabilities).map(([name, provision]) => {
    parseCapability(name)
    if (typeof provision?.run !== 'function') throw new A2aError({ code: 'BAD_USAGE', why: `${path}: ${name} has no function run`, hint: HINT })
    return [name, provision as Provision]
  })
}
