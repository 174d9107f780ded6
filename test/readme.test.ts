import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { roleOf } from '../src/graph/index.ts'
import { writeSafetensors } from '../src/models/index.ts'
import { startHub } from '../src/models/testing/hubServer.ts'
import { architecture } from '../src/nn/index.ts'
import type { Tensor } from '../src/tensor/index.ts'

const project = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(join(project, 'README.md'), 'utf8')
const snippets = [...readme.matchAll(/^```ts( hub)?\n(.*?)^```/gms)].map(([, hub, code], i) => ({
  name: `snippet${i}.ts`,
  hub: hub !== undefined,
  code: `${code!}\nexport {}\n`,
}))
const running = snippets.filter(({ hub }) => !hub)
const asking = snippets.filter(({ hub }) => hub)

// Inside the package, so that `pipilo` means the build in dist/, as it would for a user.
let folder: string

beforeAll(() => {
  mkdirSync(join(project, 'dist'), { recursive: true })
  folder = mkdtempSync(join(project, 'dist/readme-'))
  const pictures = join(project, 'samples/pictures')
  const photographs = readdirSync(pictures).filter((name) => name.endsWith('.jpg'))
  mkdirSync(join(folder, 'photos'))
  for (const name of photographs.slice(0, 4)) cpSync(join(pictures, name), join(folder, 'photos', name))
  cpSync(join(pictures, photographs[0]!), join(folder, 'towhee.jpg'))
  cpSync(join(pictures, photographs[1]!), join(folder, 'owl.jpg'))
  writeFileSync(join(folder, 'notes.md'), '# Notes\n\nA model may stand behind an address.\n')
  for (const { name, code } of snippets) writeFileSync(join(folder, name), code)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function filesIn(path: string): Record<string, Uint8Array> {
  const names = readdirSync(join(project, path))
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(project, path, name))]))
}

/** A repository as transformers writes it, of random weights. */
async function smallDistilBert(): Promise<Record<string, Uint8Array>> {
  const vocabulary = filesIn('src/embed/testdata/vocabularies/bert-cased')
  const vocab_size = Buffer.from(vocabulary['vocab.txt']!).toString().trimEnd().split('\n').length
  const config = {
    model_type: 'distilbert',
    vocab_size,
    dim: 32,
    n_layers: 1,
    n_heads: 2,
    hidden_dim: 64,
    max_position_embeddings: 64,
  }
  const { graph } = architecture('distilbert').build(config)
  const parameters = [...graph.initializers].filter(([name]) => roleOf(graph, name))
  await writeSafetensors(join(folder, 'distilbert.safetensors'), new Map(parameters) as Map<string, Tensor>)
  return {
    ...vocabulary,
    'config.json': Buffer.from(JSON.stringify(config)),
    'model.safetensors': readFileSync(join(folder, 'distilbert.safetensors')),
  }
}

describe('README', () => {
  it('has snippets that run, and some that ask the hub', () => {
    expect(running.length).toBeGreaterThanOrEqual(5)
    expect(asking.length).toBeGreaterThan(0)
  })

  it('has snippets that compile', () => {
    const program = ts.createProgram(
      snippets.map(({ name }) => join(folder, name)),
      {
        module: ts.ModuleKind.NodeNext,
        target: ts.ScriptTarget.ES2023,
        strict: true,
        noUncheckedIndexedAccess: true,
        noEmit: true,
        skipLibCheck: true,
        types: ['node'],
        typeRoots: [join(project, 'node_modules/@types')],
      },
    )
    const messages = ts
      .getPreEmitDiagnostics(program)
      .map(
        ({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
      )
    expect(messages).toEqual([])
  })

  it.each(running)('$name runs', async ({ name }) => {
    const { stderr } = await promisify(execFile)(process.execPath, ['--import', 'tsx', name], { cwd: folder })
    expect(stderr).toBe('')
  })

  it.each(asking)('$name runs beside a hub, with small models under the names of large ones', async ({
    name,
  }) => {
    const hub = await startHub({
      'timm/resnet50.a1_in1k': { files: filesIn('src/models/testdata/vision/resnet50') },
      'distilbert-base-cased': { files: await smallDistilBert() },
      'openai/clip-vit-base-patch32': {
        files: {
          ...filesIn('src/models/testdata/two-towers/clip'),
          ...filesIn('src/embed/testdata/vocabularies/clip'),
        },
      },
    })
    try {
      const env = { ...process.env, HF_ENDPOINT: hub.endpoint, HF_HOME: join(folder, 'hf') }
      const run = promisify(execFile)
      const { stdout, stderr } = await run(process.execPath, ['--import', 'tsx', name], { cwd: folder, env })
      expect(stderr).toBe('')
      expect(stdout).toMatch(/^(?:32 24 24\n|6 6 6 \{\n {2}label: )/)
    } finally {
      await hub.close()
    }
  })

  it('lists every command that there is', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['dist/cli/main.js', '--help'], {
      cwd: project,
      env: { ...process.env, NO_COLOR: '1' },
    })
    const listed = [...readme.matchAll(/^\| `pipilo (\w+)/gm)].map(([, name]) => name!)
    const offered = [...stdout.matchAll(/^ {2,}(\w+) {2,}\w/gm)].map(([, name]) => name!)
    expect(listed.toSorted()).toEqual(offered.toSorted())
  })
})
