// What a run leaves outside its folder, and where its output goes wrong.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { emptyFolder, pipilo, project, samples } from './pipilo.ts'

it('Runs leave in HOME what the README names, and nothing in TMPDIR', async () => {
  const cwd = emptyFolder()
  for (const folder of ['home', 'temporary', 'work']) mkdirSync(join(cwd, folder))
  const work = join(cwd, 'work')
  cpSync(join(project, 'src/models/testdata/sentence-transformers'), join(work, 'm'), { recursive: true })
  cpSync(join(samples, 'pictures'), join(work, 'photos'), { recursive: true })
  writeFileSync(join(work, 'a.txt'), 'an owl\n\na wren\n')
  const temporary = join(cwd, 'temporary')
  const env = {
    HOME: join(cwd, 'home'),
    USERPROFILE: join(cwd, 'home'),
    TMPDIR: temporary,
    TEMP: temporary,
    TMP: temporary,
    ...Object.fromEntries(
      ['PIPILO_CACHE', 'XDG_CACHE_HOME', 'HF_HOME', 'NODE_COMPILE_CACHE'].map((name) => [name, undefined]),
    ),
  }
  for (const args of [
    ['index', 'a.txt', '--model', './m'],
    ['search', 'owl'],
    ['embed', 'a.txt', '--model', './m', '--out', 'v.npy'],
    ['embed', 'photos', '--out', 'v.parquet'],
    ['export', './m', '-o', 'm.onnx'],
  ]) {
    const { status, stderr } = await pipilo(args, { cwd: work, env })
    expect([args, status, stderr.includes('Error')]).toEqual([args, 0, false])
  }
  expect(readdirSync(join(cwd, 'home'))).toEqual(['.cache'])
  expect(readdirSync(join(cwd, 'home', '.cache'))).toEqual(['pipilo'])
  expect(readdirSync(temporary)).toEqual([])
  expect(readdirSync(work).filter((name) => name.endsWith('.tmp'))).toEqual([])
}, 120_000)

it.skipIf(!existsSync('/dev/full'))(
  'Standard output on a full disk is an error without a stack',
  async () => {
    const cwd = emptyFolder()
    cpSync(join(project, 'src/models/testdata/sentence-transformers'), join(cwd, 'm'), { recursive: true })
    for (const args of ['embed --text owl --model ./m', 'models', '--help']) {
      const command = `"${process.execPath}" "${join(project, 'dist/cli/main.js')}" ${args} > /dev/full`
      const stderr = await new Promise<string>((resolve) => {
        execFile('sh', ['-c', command], { cwd }, (error, _, written) => resolve(`${error?.code} ${written}`))
      })
      expect(stderr).toContain('1 ')
      expect(stderr).toContain('Cannot write standard output: the disk is full.')
      expect(stderr).not.toContain('    at ')
    }
  },
)
