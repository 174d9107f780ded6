import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { include: ['*.test.ts'], exclude: ['trainDemo.test.ts'], pool: 'forks', testTimeout: 120_000 },
})
