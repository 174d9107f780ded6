import { defineConfig } from 'vitest/config'
import { cacheDir } from './test/cache.ts'

export default defineConfig({
  test: {
    include: [
      'src/**/*.test.ts',
      'test/**/*.test.ts',
      'examples/trainDemo.test.ts',
      'examples/claims/**/*.test.ts',
    ],
    // Native sessions run on worker threads of their own: a process a file keeps a crash of one from the others.
    pool: 'forks',
    maxWorkers: 2,
    // Tests make gigabytes of small models' sessions: those are not for the cache of whoever runs them, and go at the end.
    env: { PIPILO_CACHE: cacheDir },
    globalSetup: './test/cache.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // CI's step `types` compiles the same files.
    typecheck: { enabled: !process.env['CI'], include: ['src/**/*.test-d.ts'], tsconfig: './tsconfig.json' },
  },
})
