/**
 * Packs the build of a git revision, for the tests of two versions in one mesh.
 *   node scripts/previous.ts <revision>
 */
import { execFileSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const target = join(root, 'test/previous')
const [revision] = process.argv.slice(2)
if (revision === undefined) throw new Error('which revision? node scripts/previous.ts <revision>')

const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
const commit = git('rev-parse', '--verify', `${revision}^{commit}`)
const tree = join(mkdtempSync(join(tmpdir(), 'a2a-previous-')), 'tree')
git('worktree', 'add', '--detach', tree, commit)
try {
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: tree, stdio: 'inherit' })
  // What runs is enough, and a third of the size.
  for (const types of globSync('dist/**/*.d.ts', { cwd: tree })) rmSync(join(tree, types))
  writeFileSync(join(tree, 'CHANGELOG.md'), '')
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', target], { cwd: tree, encoding: 'utf8' }))
  renameSync(join(target, packed.filename), join(target, 'a2a-node-previous.tgz'))
  const readme = join(target, 'README.md')
  writeFileSync(readme, readFileSync(readme, 'utf8').replace(/commit `[0-9a-f]+` of [0-9-]+/, `commit \`${commit.slice(0, 12)}\` of ${git('show', '-s', '--format=%cs', commit)}`))
  console.log(`${join(target, 'a2a-node-previous.tgz')}: ${commit}, ${Math.round(packed.size / 1024)} KiB`)
} finally {
  git('worktree', 'remove', '--force', tree)
  rmSync(join(tree, '..'), { recursive: true, force: true })
}
