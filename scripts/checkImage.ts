/**
 * Runs the commands of the Dockerfile's last stage in an empty folder, as no container runs here: packs what `npm run build` has left in dist/, installs
 * it, starts the entry point without a way to the network, and asks the server.
 *
 *     npm run build && npx tsx scripts/checkImage.ts
 */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('..', import.meta.url))
if (!existsSync(join(project, 'dist/cli/main.js')))
  throw new Error('There is no dist/: npm run build comes first.')
const root = mkdtempSync(join(tmpdir(), 'pipilo-image-'))

/** Absolute folders of the image, below the empty folder. */
const placed = (text: string) => text.replace(/(?<![\w./])\/(app|data|packed)\b/g, `${root}/$1`)

/** A port that is free. */
const port = await new Promise<number>((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const address = probe.address()
    probe.close(() => resolve(typeof address === 'object' ? address!.port : 0))
  })
})

const last = readFileSync(join(project, 'Dockerfile'), 'utf8')
  .split(/^FROM /m)
  .at(-1)!
const steps = last
  .split('\n')
  .slice(1)
  .filter((line) => line.trim() !== '' && !line.startsWith('#'))
  .map((line) => /^(\w+) (.*)$/.exec(line)!.slice(1) as [string, string])
const env: Record<string, string> = {
  PATH: process.env.PATH!,
  HOME: root,
  PIPILO_KEYS: 'a-secret-that-is-long',
  HF_HUB_OFFLINE: '1',
}
const started: { entry: string[]; command: string[]; cwd: string } = { entry: [], command: [], cwd: root }

mkdirSync(join(root, 'packed'))
// The first stage, from the build that is there.
execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', join(root, 'packed')], {
  cwd: project,
  stdio: ['ignore', 'ignore', 'inherit'],
})
for (const [word, rest] of steps) {
  const text = placed(rest)
  if (word === 'ENV') {
    const [name, value] = text.split('=') as [string, string]
    env[name] = value
  } else if (word === 'WORKDIR') {
    mkdirSync(text, { recursive: true })
    writeFileSync(join(text, 'package.json'), '{ "private": true }')
    started.cwd = text
  } else if (word === 'RUN') {
    // Users of the image are not those of this machine.
    const command = text.replace(/ && chown \S+ \S+/, '')
    execFileSync('bash', ['-euc', command], {
      cwd: started.cwd,
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
    })
  } else if (word === 'ENTRYPOINT') started.entry = JSON.parse(text) as string[]
  else if (word === 'CMD')
    started.command = (JSON.parse(text) as string[]).map((part) =>
      part.replace('0.0.0.0', '127.0.0.1').replace('8315', `${port}`),
    )
}

let passed = false
const [program = '', ...args] = [...started.entry, ...started.command, '--json']
const child = spawn(program, args, { cwd: started.cwd, env, stdio: ['ignore', 'pipe', 'inherit'] })
try {
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve())
    child.once('exit', (status) => reject(new Error(`The server ended with ${status}.`)))
  })
  const ask = (path: string, body?: unknown, key = 'a-secret-that-is-long') =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  if (!(await ask('/health')).ok) throw new Error('no health')
  if ((await ask('/v1/models', undefined, 'wrong')).status !== 401) throw new Error('a wrong key was let in')
  const { data } = (await (
    await ask('/v1/embeddings', { model: 'all-MiniLM-L6-v2', input: 'owls' })
  ).json()) as { data: { embedding: number[] }[] }
  if (data[0]!.embedding.length !== 384) throw new Error('no vector')
  const rows = [{ id: 'a', text: 'A towhee sings in the brush.' }]
  if (!(await ask('/v1/collections/notes/upsert', { rows })).ok) throw new Error('no collection')
  child.kill('SIGTERM')
  const status = await new Promise((resolve) => child.once('exit', resolve))
  if (status !== 0) throw new Error(`SIGTERM ended it with ${status}`)
  console.log(
    `image: ok, ${execFileSync('du', ['-sm', started.cwd], { encoding: 'utf8' }).split('\t')[0]} MB`,
  )
  passed = true
} finally {
  child.kill('SIGKILL')
  if (passed || process.env.CI) rmSync(root, { recursive: true, force: true })
  else console.error(`left for a look: ${root}`)
}
