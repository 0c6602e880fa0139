/** `npm run bench -- --quick`: the command `a2a-node bench`, from the sources. */
import { main } from '../src/cli/program.ts'

await main(['bench', ...process.argv.slice(2)])
