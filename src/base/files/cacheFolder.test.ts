import { homedir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { cacheFolder } from './cacheFolder.ts'

it('The cache is PIPILO_CACHE, else below the cache of the user; ~ is the home folder.', () => {
  expect(cacheFolder({ PIPILO_CACHE: '/p' })).toBe('/p')
  expect(cacheFolder({ PIPILO_CACHE: '~/mine' })).toBe(join(homedir(), 'mine'))
  expect(cacheFolder({ XDG_CACHE_HOME: '/xdg' })).toBe('/xdg/pipilo')
  expect(cacheFolder({ XDG_CACHE_HOME: '~/caches' })).toBe(join(homedir(), 'caches/pipilo'))
  expect(cacheFolder({})).toBe(join(homedir(), '.cache/pipilo'))
})
