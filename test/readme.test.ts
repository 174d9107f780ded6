import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const project = fileURLToPath(new URL('..', import.meta.url))
const readme = readFileSync(join(project, 'README.md'), 'utf8')
const snippets = [...readme.matchAll(/^```ts( coming)?\n(.*?)^```/gms)].map(([, coming, code], i) => ({
  name: `snippet${i}.ts`,
  coming: coming !== undefined,
  code: `${code!}\nexport {}\n`,
}))
const running = snippets.filter(({ coming }) => !coming)

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
  for (const { name, code } of snippets) writeFileSync(join(folder, name), code)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('README', () => {
  it('has snippets that run, and some that are coming', () => {
    expect(running.length).toBeGreaterThanOrEqual(5)
    expect(snippets.some(({ coming }) => coming)).toBe(true)
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
