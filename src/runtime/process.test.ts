import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { globSync } from 'tinyglobby'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const url = (path: string) => new URL(path, import.meta.url).href
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/** Runs a program in a process of its own and gives what it prints; fails when it does not end by itself. */
async function run(program: string): Promise<string> {
  const code = `
    import { compile, warmUp } from '${url('./index.ts')}'
    import { addition, rows, slow } from '${url('./testing/graphs.ts')}'
    const square = () => ({ dtype: 'float32', shape: [512, 512], data: new Float32Array(512 * 512) })
    ${program}`
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--import', tsx, '--input-type=module', '--eval', code],
    { timeout: 30_000 },
  )
  expect(stderr).toBe('')
  return stdout
}

describe('a process', () => {
  it('ends by itself with idle workers, and after their calls', async () => {
    const printed = await run(`
      warmUp(2)
      const session = await compile(addition(), { workers: 2 })
      const calls = [1, 2, 3].map((n) => session.run({ x: rows(n, n) }))
      void Promise.all(calls).then((results) => console.log(results.map(({ y }) => [...y.data].join()).join(' ')))
    `)
    expect(printed).toBe('2,3 3,4 4,5\n')
  })

  it('ends when it only warmed up', async () => {
    expect(await run('warmUp()')).toBe('')
  })

  it('ends when it is told to in the middle of a call', async () => {
    const printed = await run(`
      const session = await compile(slow(20), { workers: 1 })
      void session.run({ x: square() }).catch(() => {})
      setTimeout(() => { console.log('leaving'); process.exit() }, 20)
    `)
    expect(printed).toBe('leaving\n')
  })

  it('hears nothing of native errors but the exception', async () => {
    const printed = await run(`
      const graph = addition()
      const nodes = graph.nodes.map((node) => ({ ...node, op: 'Nonsense' }))
      for (const workers of [0, 1])
        await compile({ ...graph, nodes }, { workers }).catch((error) => console.log(error.code))
    `)
    expect(printed).toBe('OPERATOR_UNSUPPORTED\nOPERATOR_UNSUPPORTED\n')
  })
})

it('Workers start from built files as well.', async () => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const built = mkdtempSync(join(tmpdir(), 'pipilo-built-'))
  try {
    symlinkSync(join(root, 'node_modules'), join(built, 'node_modules'), 'junction')
    writeFileSync(join(built, 'package.json'), '{ "type": "module" }')
    const files = globSync('src/{base,tensor,graph,runtime}/**/*.ts', { cwd: root, ignore: '**/*.test.ts' })
    const { options } = ts.convertCompilerOptionsFromJson(
      ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile).config.compilerOptions,
      root,
    )
    for (const file of files) {
      const source = readFileSync(join(root, file), 'utf8')
      // The format of a module is told by its package, which the compiler does not look for here.
      const compilerOptions = { ...options, module: ts.ModuleKind.ESNext, noEmit: false }
      const target = join(built, file.replace(/ts$/, 'js'))
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, ts.transpileModule(source, { compilerOptions }).outputText)
    }
    const program = `
      import { compile } from './src/runtime/index.js'
      import { addition, rows } from './src/runtime/testing/graphs.js'
      const session = await compile(addition())
      console.log([...(await session.run({ x: rows(1, 2) })).y.data].join())`
    writeFileSync(join(built, 'program.js'), program)
    const { stdout } = await promisify(execFile)(process.execPath, ['program.js'], { cwd: built })
    expect(stdout).toBe('2,4\n')
  } finally {
    rmSync(built, { recursive: true })
  }
})
