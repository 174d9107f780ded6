// A process that runs indexer.ts.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('indexer.ts', import.meta.url))
const loader = import.meta.resolve('tsx')

/** @param kill milliseconds after its first batch until it is killed; undefined leaves it alone */
export function indexerProcess(database: string, texts: string, model: string, kill?: number) {
  const child = spawn(process.execPath, ['--import', loader, script, database, texts, model], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [printed, errors] = ['', '']
  child.stdout.on('data', (data) => {
    if (printed === '' && kill !== undefined) setTimeout(() => child.kill('SIGKILL'), kill)
    printed += data
  })
  child.stderr.on('data', (data) => {
    errors += data
  })
  return new Promise<{ done: boolean; errors: string }>((resolve) => {
    child.on('close', () => resolve({ done: printed.endsWith('done\n'), errors }))
  })
}
