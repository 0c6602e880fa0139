/** Compiles src/ to dist/. The generated codec is JavaScript already, so the compiler leaves it behind; it is copied. */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
rmSync(join(root, 'dist'), { recursive: true, force: true })
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' })
cpSync(join(root, 'src/wire/generated'), join(root, 'dist/wire/generated'), { recursive: true })
chmodSync(join(root, 'dist/cli/main.js'), 0o755)
