import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { rooms } from '../scripts/rooms.ts'

const project = fileURLToPath(new URL('..', import.meta.url))
const page = readFileSync(join(project, 'docs/architecture.md'), 'utf8')
const read = (path: string) => readFileSync(join(project, path), 'utf8')

describe('docs/architecture.md', () => {
  it('names files that exist', () => {
    const paths = [...page.matchAll(/`((?:src|test|scripts)\/[\w/.]+\.ts)`/g)].map(([, path]) => path!)
    expect(paths.length).toBeGreaterThan(20)
    expect(paths.filter((path) => !existsSync(join(project, path)))).toEqual([])
  })

  it('names functions and classes that stand in the files named with them', () => {
    const pairs = [...page.matchAll(/`(\w+)`\s\((?:`[^`]+`, )*`(src\/[\w/.]+\.ts)`/g)]
    expect(pairs.length).toBeGreaterThan(15)
    const absent = pairs.filter(([, name, path]) => {
      return !new RegExp(`(function\\*?|class|const) ${name}\\b`).test(read(path!))
    })
    expect(absent.map(([, name, path]) => `${name} in ${path}`)).toEqual([])
  })

  it('names an invariant for each room, and tests that exist', () => {
    const rows = [...page.matchAll(/^\| `(\w+)\/` \| [^|]+ \| `([^`]+)`: ([^|]+?) \|$/gm)]
    const built = rooms.filter((room) => existsSync(join(project, 'src', room)))
    expect(rows.map(([, room]) => room)).toEqual(built)
    const absent = rows.filter(([, , path, name]) => !read(path!).includes(name!))
    expect(absent.map(([, , path, name]) => `${name} in ${path}`)).toEqual([])
  })
})
