/** `npm run bench -- --quick`: the command `a2a-node bench`, from a fresh dist/, for what is measured is what users get. */
import { join } from 'node:path'
import './build.ts'

const { main } = await import(join(import.meta.dirname, '../dist/cli/program.js')) as typeof import('../src/cli/program.ts')
await main(['bench', ...process.argv.slice(2)])
