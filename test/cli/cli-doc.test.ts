/** docs/cli.md and `--help` name the same commands with the same options. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { settingsOf } from '../../src/cli/config.ts'

const root = join(import.meta.dirname, '../..')
const main = join(root, 'src/cli/main.ts')
const doc = readFileSync(join(root, 'docs/cli.md'), 'utf8')

interface Help {
  /** `task show <id>`. */
  usage: string
  options: string[]
  global: string[]
  commands: string[]
}

async function helpOf (command: string): Promise<Help> {
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...command.split(' ').filter(word => word !== ''), '--help'])
  const part = (title: string): string => new RegExp(`^${title}:\\n((?: {2}.*\\n)+)`, 'm').exec(stdout)?.[1] ?? ''
  const optionsIn = (text: string): string[] => [...text.matchAll(/^ {2}(?:-h, )?(--[\w-]+(?: <\w+>)?)/gm)].map(([, option = '']) => option)
  return {
    usage: (/^Usage: a2a-node (.*)$/m.exec(stdout)?.[1] ?? '').replace(/\[\w+\] ?/g, '').trim(),
    options: optionsIn(part('Options')).filter(option => option !== '--help'),
    global: optionsIn(part('Global Options')),
    commands: [...part('Commands').matchAll(/^ {2}(\w+)/gm)].map(([, name = '']) => `${command} ${name}`.trim()).filter(name => !name.endsWith('help'))
  }
}

/** Every command that does something, with its help. */
async function leavesOf (command: string): Promise<Array<[command: string, help: Help]>> {
  const help = await helpOf(command)
  if (help.commands.length === 0) return [[command, help]]
  return (await Promise.all(help.commands.map(leavesOf))).flat()
}

const rowsOf = (text: string): string[] => [...text.matchAll(/^\| (`-.*?`) \|/gm)].flatMap(([, cell = '']) => cell.split(', ').map(option => option.replaceAll('`', ''))).filter(option => !['-h', '--help'].includes(option))

const sectionsOf = (level: string): Map<string, string> => new Map(doc.split(new RegExp(`^${level} `, 'm')).slice(1).flatMap(section => {
  const [heading = '', ...lines] = section.split('\n')
  return heading.split(', ').map((name): [string, string] => [name.replaceAll('`', ''), lines.join('\n')])
}))

describe('docs/cli.md', async () => {
  const leaves = await leavesOf('')
  const sections = new Map([...sectionsOf('###')].map(([name, text]) => [name, text.split(/^## /m)[0] ?? '']))
  const [, start = { options: [], global: [] }] = leaves.find(([command]) => command === 'start') ?? []
  const common = rowsOf(sectionsOf('##').get('Options of all commands') ?? '')

  it('has a section for each command with its arguments, and for nothing else', () => {
    assert.deepEqual([...sections.keys()].toSorted(), leaves.map(([, { usage }]) => usage).toSorted())
  })

  for (const [command, { usage, options }] of leaves) {
    it(`has the options of ${command}`, () => {
      assert.deepEqual(rowsOf(sections.get(usage) ?? '').toSorted(), options.filter(option => !common.includes(option)).toSorted())
    })
  }

  it('has the options of all commands, and those about the network', () => {
    const network = start.options.filter(option => !rowsOf(sections.get('start') ?? '').includes(option))
    assert.ok(network.length > 0)
    assert.deepEqual(common.toSorted(), [...start.global, ...network].toSorted())
  })

  it('names no option that does not exist', () => {
    const known = new Set(['--help', ...common, ...leaves.flatMap(([, { options }]) => options)].map(option => option.split(' ')[0]))
    const named = doc.replaceAll(/\]\(#[^)]*\)/g, ']').match(/(?<=[\s`'(])--[a-z][a-z-]*/g) ?? []
    assert.ok(named.length > 50)
    assert.deepEqual(named.filter(option => !known.has(option)), [])
  })

  it('gives commands in examples only options that they have', () => {
    for (const [line, given = ''] of doc.matchAll(/^\$ (?:.*\| )?a2a-node (.*?)(?:\s+#.*)?$/gm)) {
      const [, help] = leaves.find(([command]) => given === command || given.startsWith(`${command} `)) ?? []
      assert.ok(help, `no such command: ${line}`)
      const has = [...help.options, ...common].map(option => option.split(' ')[0])
      assert.deepEqual((given.match(/ --[a-z][a-z-]*/g) ?? []).map(option => option.trim()).filter(option => !has.includes(option)), [], line)
    }
  })

  it('has an example of a configuration file with all its keys, which is taken', () => {
    const section = sectionsOf('##').get('The configuration file') ?? ''
    const [, json = ''] = /```json\n(.*?)```/s.exec(section) ?? []
    const folder = mkdtempSync(join(tmpdir(), 'a2a-config-'))
    try {
      const config = join(folder, 'node.json')
      writeFileSync(config, json)
      assert.equal(settingsOf({ config }).capabilities?.length, 3)
    } finally {
      rmSync(folder, { recursive: true })
    }
    const given = JSON.parse(json) as { capabilities: object[] }
    const keys = [...section.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '))
    assert.deepEqual([...new Set([given, ...given.capabilities].flatMap(Object.keys))].toSorted(), [...new Set(keys)].toSorted())
  })
})
