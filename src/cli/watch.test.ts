import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { connect } from '../store/index.ts'

const main = fileURLToPath(new URL('main.ts', import.meta.url))
const loader = import.meta.resolve('tsx')
const folder = mkdtempSync(join(tmpdir(), 'pipilo-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('pipilo index --watch', () => {
  it('follows a folder until Ctrl-C, which ends it cleanly', async () => {
    const model = fileURLToPath(new URL('../models/testdata/sentence-transformers', import.meta.url))
    cpSync(model, join(folder, 't'), { recursive: true })
    mkdirSync(join(folder, 'notes'))
    const write = (name: string, text: string) => writeFileSync(join(folder, 'notes', name), text)
    write('a.txt', 'one\ntwo\n')
    write('b.txt', 'three\n')
    const child = spawn(
      process.execPath,
      ['--import', loader, main, 'index', 'notes', '--model', 't', '--by', 'line', '--watch', '--json'],
      { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    let errors = ''
    child.stderr.on('data', (data) => {
      errors += data
    })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    /** Reads rounds until the collection has so many rows. */
    const until = async (rows: number) => {
      for (;;) {
        const { value, done } = await lines.next()
        if (done) throw new Error(`It has ended: ${errors}`)
        if (JSON.parse(value).rows === rows) return
      }
    }
    const ended = new Promise((resolve) => {
      child.on('close', (code, signal) => resolve([code, signal]))
    })
    try {
      await until(3)
      write('c.txt', 'four\nfive\nsix\n')
      await until(6)
      write('a.txt', 'one\n')
      await until(5)
      unlinkSync(join(folder, 'notes', 'c.txt'))
      await until(2)
      child.kill('SIGINT')
      expect([await ended, errors]).toEqual([[0, null], ''])
    } finally {
      child.kill('SIGKILL')
    }
    const store = await connect(join(folder, '.pipilo'))
    const ids: string[] = []
    for await (const { id } of (await store.collection('texts')).rows()) ids.push(id)
    expect(ids.sort()).toEqual(['notes/a.txt:1', 'notes/b.txt:1'])
    await store.close()
  })
})
