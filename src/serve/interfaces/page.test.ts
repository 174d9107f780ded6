import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { chromiumArguments, chromiumPath } from '../../atlas/testing/chromium.ts'
import { embedder } from '../../embed/index.ts'
import { defaultImageModel, defaultTextModel } from '../../models/index.ts'
import { connect, indexFiles } from '../../store/index.ts'
import { type TestServer, testServer } from '../testing/server.ts'

const project = fileURLToPath(new URL('../../..', import.meta.url))
const samples = join(project, 'samples/pictures')
const executablePath = chromiumPath()
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const HOSTILE = '<img src=x onerror="window.hit=1">'
const hostileText = `# Hostile ${HOSTILE}\n\nThe heron reads <script>window.hit=1</script> and ${HOSTILE} in the reeds.\n`

let browser: Browser
let page: Page
let folder: string
let server: TestServer
let requests: string[]
let problems: string[]
/** Answers that the browser's console names: what is refused, or not there. */
let refused: string[]

// A machine without Chromium tests all but this.
describe.skipIf(executablePath === undefined)(
  'The page of search, in Chromium (CHROMIUM_PATH says where one is)',
  { timeout: 180_000 },
  () => {
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'pipilo-page-'))
      for (const name of ['citty', 'sharp', 'hono']) {
        mkdirSync(join(folder, 'docs', name), { recursive: true })
        cpSync(join(project, 'node_modules', name, 'README.md'), join(folder, 'docs', name, 'README.md'))
      }
      mkdirSync(join(folder, 'docs/hostile'))
      writeFileSync(join(folder, 'docs/hostile', `${HOSTILE}.txt`), hostileText)
      mkdirSync(join(folder, 'pictures'))
      for (const name of ['cat.jpg', 'cat-face.jpg', 'coffee.jpg', 'rocket.jpg', 'drawing-dog.png'])
        cpSync(join(samples, name), join(folder, 'pictures', name))
      await indexed('docs', 'docs', defaultTextModel)
      await indexed('docs-early', 'docs', defaultTextModel, { tap: 'encoder.layer.2', pool: 'mean' })
      await indexed('pictures', 'pictures', defaultImageModel)
      // Paths of the collection are relative to the folder above.
      server = await testServer({ db: join(folder, 'db'), files: join(folder, 'pictures') })
      browser = await chromium.launch({ executablePath: executablePath!, args: chromiumArguments })
    }, 600_000)
    afterAll(async () => {
      await browser?.close()
      expect(server.errors).toEqual([])
      await server?.close()
      rmSync(folder, { recursive: true, force: true })
    })
    beforeEach(async () => {
      await open()
    })
    afterEach(async () => {
      // Nobody but the server was asked, and nothing was refused by the page's policy.
      expect(
        requests.filter((url) => !/^(http:\/\/127\.0\.0\.1:|data:|blob:http:\/\/127\.0\.0\.1:)/.test(url)),
      ).toEqual([])
      expect(problems).toEqual([])
      expect(await page.evaluate('window.hit')).toBeUndefined()
      await page.close()
    })

    async function indexed(
      name: string,
      paths: string,
      model: string,
      options: { tap?: string; pool?: 'mean' } = {},
    ) {
      const store = await connect(join(folder, 'db'))
      const e = await embedder(model, { ...options, runtime: { workers: 1, threads: 1 } })
      const collection = await store.collection(name, { embedder: e })
      await indexFiles([paths], {
        cwd: folder,
        embedder: e,
        collection,
        metadata: ({ path }) => ({ project: path.split('/')[1]! }),
      })
      await e.dispose()
      await store.close()
    }

    async function open(url = server.url, width = 1200) {
      await page?.close()
      page = await browser.newPage({ viewport: { width, height: 800 } })
      page.setDefaultTimeout(60_000)
      ;[requests, problems, refused] = [[], [], []]
      page.on('request', (request) => requests.push(request.url()))
      page.on('pageerror', (error) => problems.push(error.message))
      page.on('console', (message) => {
        // Answers that refuse are shown by the page, and named by the browser in any case.
        if (message.type() !== 'error') return
        const isRefusal = /^Failed to load resource/.test(message.text())
        ;(isRefusal ? refused : problems).push(message.text())
      })
      await page.goto(url)
    }

    /** Models are opened by the first who asks, and machines are busy. */
    const eventually = <T>(found: () => T) => expect.poll(found, { timeout: 40_000 })
    const files = () => page.locator('.hit .like').allTextContents()
    const checkbox = (name: string) => page.getByRole('checkbox', { name: new RegExp(`^${name} \\d`) })
    const column = (name: string) => page.locator(`.column[data-collection="${name}"]`)
    const status = () => page.locator('#status').textContent()
    const address = () => new URL(page.url()).searchParams
    const type = async (words: string) => {
      await page.fill('#words', words)
      await eventually(() => address().get('q')).toBe(words)
      await eventually(() => page.locator('.column[aria-busy]').count()).toBe(0)
    }
    /** Lets files fall on the page, or on a part of it. */
    const drop = async (paths: readonly string[], type: string, on = 'body') => {
      const given = paths.map((path) => [path.split('/').at(-1), readFileSync(path).toString('base64')])
      const data = await page.evaluateHandle(
        `(() => {
          const data = new DataTransfer()
          for (const [name, base64] of ${JSON.stringify(given)})
            data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type: '${type}' }))
          return data
        })()`,
      )
      for (const event of ['dragenter', 'dragover', 'drop'])
        await page.dispatchEvent(on, event, { dataTransfer: data })
    }

    it('finds passages by words, says where they are, and keeps the search in the address', async () => {
      expect(await page.locator('.empty h2').textContent()).toBe('Search by meaning')
      await page.locator('#words').pressSequentially('parse arguments of the command line', { delay: 5 })
      await eventually(status).toBe('10 hits in docs.')
      const first = page.locator('.hit').first()
      expect(await first.locator('.place').textContent()).toMatch(/^docs\/citty\/lines? \d+/)
      expect((await page.locator('mark').allTextContents()).join(' ')).toMatch(/command/i)
      expect(await page.title()).toBe('parse arguments of the command line · Pipilo')
      const found = await page
        .locator('.hit')
        .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-id')))
      await page.reload()
      await eventually(() => page.locator('.hit').count()).toBe(10)
      expect(
        await page.locator('.hit').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-id'))),
      ).toEqual(found)
      // All letters together are one entry of the history.
      await page.goBack()
      await eventually(() => page.locator('.empty h2').count()).toBe(1)
      expect(await page.inputValue('#words')).toBe('')
      await page.goForward()
      await eventually(() => page.locator('.hit').count()).toBe(10)
    })

    it('finds pictures by one that is dropped, pasted or chosen, and shows them', async () => {
      await drop([join(samples, 'cat.jpg')], 'image/jpeg')
      await eventually(files).toEqual(expect.arrayContaining(['cat.jpg', 'cat-face.jpg']))
      expect((await files()).slice(0, 2)).toEqual(['cat.jpg', 'cat-face.jpg'])
      expect(await page.locator('#example span').textContent()).toBe('cat.jpg')
      const widths = () =>
        page
          .locator('.frame img')
          .evaluateAll((images) => images.map((image) => image['naturalWidth'] as number))
      await eventually(async () => (await widths()).every((width) => width > 50)).toBe(true)
      await page.setInputFiles('#picture input', join(samples, 'coffee-cup.jpg'))
      await eventually(async () => (await files())[0]).toBe('coffee.jpg')
      await page.evaluate(
        `(async () => {
          const bytes = await (await fetch('v1/collections/pictures/thumbnail?id=pictures/rocket.jpg')).blob()
          const data = new DataTransfer()
          data.items.add(new File([bytes], 'pasted.webp', { type: 'image/webp' }))
          document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }))
        })()`,
      )
      await eventually(async () => (await files())[0]).toBe('rocket.jpg')
      await page.goBack()
      await eventually(async () => (await files())[0]).toBe('coffee.jpg')
      // The tab remembers the pictures. They are no part of the address: another tab does not know them.
      await page.reload()
      await eventually(async () => (await files())[0]).toBe('coffee.jpg')
      await page.goForward()
      await eventually(async () => (await files())[0]).toBe('rocket.jpg')
      await page.goBack()
      await eventually(async () => (await files())[0]).toBe('coffee.jpg')
      // As many of the last ones as there is room for, which is 5 MiB of characters for all that the tab remembers.
      await page.evaluate("sessionStorage.setItem('of another', 'x'.repeat(5_180_000))")
      await page.setInputFiles('#picture input', join(samples, 'cat.jpg'))
      await eventually(async () => (await files())[0]).toBe('cat.jpg')
      await page.reload()
      await eventually(async () => (await files())[0]).toBe('cat.jpg')
      await open(page.url())
      await eventually(() => page.locator('.empty h2').textContent()).toBe(
        'That picture is not here any more',
      )
    })

    it('looks for a picture in the largest collection of pictures where only texts are chosen, and says so', async () => {
      await type('image')
      await checkbox('docs-early').check()
      await eventually(() => page.locator('.column').count()).toBe(2)
      await drop([join(samples, 'cat.jpg')], 'image/jpeg')
      await eventually(async () => (await files())[0]).toBe('cat.jpg')
      expect(address().getAll('in')).toEqual(['pictures'])
      expect(await page.locator('#notice').textContent()).toBe(
        'docs, docs-early cannot be searched by a picture, so it is looked for in pictures.',
      )
      await type('cat')
      expect(await page.locator('#notice').textContent()).toBe('')
    })

    it('asks no collection what it cannot answer, and says why in one line', async () => {
      const note = (name: string) => column(name).locator('.note').textContent()
      const all = '?in=docs&in=pictures'
      await page.goto(`${server.url}/${all}&q=image`)
      await eventually(() => note('pictures')).toMatch(/^Its model embeds pictures/)
      await eventually(() => column('docs').locator('.hit').count()).toBe(10)
      await page.goto(`${server.url}/${all}&like=pictures/cat.jpg`)
      await eventually(() => note('docs')).toBe('This row is of another collection.')
      await eventually(() => column('pictures').locator('.hit').count()).toBe(4)
      await page.setInputFiles('#picture input', join(samples, 'cat.jpg'))
      await eventually(() => note('docs')).toMatch(/^Its model embeds texts/)
      await page.goto(`${server.url}/?in=docs&q=image&where=["colour","eq","red"]`)
      await eventually(() => note('docs')).toBe('None of its rows has the field “colour”.')
      const plain = { rows: [{ id: 'a', vector: [1, 0] }] }
      await server.post('/v1/collections/plain/upsert', plain)
      const vectors = Array.from({ length: 384 }, (_, i) => i)
      const rows = [{ id: 'a', vector: vectors, metadata: { kind: 'owl' } }]
      await server.post('/v1/collections/untold/upsert', { rows, model: defaultTextModel })
      await page.goto(`${server.url}/?in=plain&in=untold&in=docs&q=image&hybrid`)
      await eventually(() => note('plain')).toMatch(/^It holds vectors of your own/)
      await eventually(() => note('untold')).toMatch(/^It has no texts to look for words in/)
      await eventually(() => column('docs').locator('.hit').count()).toBe(10)
      await page.goto(`${server.url}/?in=untold&q=image&single`)
      await eventually(() => note('untold')).toMatch(/^Its rows are of no files/)
      expect(refused).toEqual([])

      // What is no more of use is deleted, when the reader says so twice.
      await page.setViewportSize({ width: 360, height: 740 })
      for (const name of ['untold', 'plain']) {
        await page.goto(`${server.url}/?in=docs&in=${name}&q=image`)
        const remove = page.getByRole('button', { name: `Delete ${name}` })
        await remove.click()
        expect(await page.evaluate('document.activeElement.textContent')).toBe('Keep it')
        await page.evaluate(axe)
        await expectNoFault()
        await page.keyboard.press('Escape')
        await eventually(() => remove.evaluate((button) => button.matches(':focus'))).toBe(true)
        await page.keyboard.press('Enter')
        await page.keyboard.press('Tab')
        await page.keyboard.press('Enter')
        await eventually(() => checkbox(name).count()).toBe(0)
        expect(await page.locator('#notice').textContent()).toBe(`${name} was deleted.`)
        expect(address().getAll('in')).toEqual(['docs'])
        expect((await server.get(`/v1/collections/${name}`)).status).toBe(404)
      }
    })

    it('finds what is like a hit that is clicked, and the way back', async () => {
      await page.goto(`${server.url}/?in=pictures&like=pictures/cat-face.jpg`)
      await eventually(async () => (await files())[0]).toBe('cat.jpg')
      await eventually(() => page.locator('#example img').isVisible()).toBe(true)
      await page.locator('.frame').nth(2).click()
      const clicked = address().get('like')!
      expect(clicked).not.toBe('pictures/cat-face.jpg')
      await eventually(() => page.locator('#example span').textContent()).toBe(
        `Like ${clicked.split('/')[1]}`,
      )
      await eventually(files).not.toContain(clicked.split('/')[1])
      expect(await page.evaluate('document.activeElement.id')).toBe('results')
      await page.goBack()
      await eventually(async () => (await files())[0]).toBe('cat.jpg')
      await page.getByRole('button', { name: /^No longer search by/ }).click()
      await eventually(() => page.locator('.empty h2').textContent()).toBe('Search by meaning')
    })

    it('filters by fields, typed or of a hit', async () => {
      await type('image')
      await page.getByText('Filters').click()
      await page.getByLabel('Field').selectOption('project')
      await page.getByLabel('Comparison').selectOption('eq')
      await page.getByLabel('Value').fill('hono')
      await page.getByRole('button', { name: 'Add', exact: true }).click()
      const places = async () => [...new Set(await page.locator('.place span:first-child').allTextContents())]
      await eventually(places).toEqual(['docs/hono/'])
      expect(address().getAll('where')).toEqual(['["project","eq","hono"]'])
      await page.getByRole('button', { name: /^Remove: project is/ }).click()
      await eventually(places).not.toEqual(['docs/hono/'])
      await page.locator('.chips button', { hasText: 'project: sharp' }).first().click()
      await eventually(places).toEqual(['docs/sharp/'])
      // A number has to be one.
      await page.getByLabel('Field').selectOption('line')
      await page.getByLabel('Value').fill('twelve')
      await page.getByRole('button', { name: 'Add', exact: true }).click()
      expect(await page.getByLabel('Value').evaluate((input) => input['validationMessage'])).toBe(
        'line is a number.',
      )
      await page.getByLabel('Value').fill('1')
      await page.getByLabel('Comparison').selectOption('lte')
      await page.getByRole('button', { name: 'Add', exact: true }).click()
      await eventually(() => page.locator('.lines').allTextContents()).toEqual([
        expect.stringMatching(/^lines? 1\b/),
      ])
      await page.getByLabel('One hit a file').check()
      await eventually(() => address().has('single')).toBe(true)
      await page.goto(`${server.url}/?in=docs&q=image&single`)
      await eventually(() => page.locator('.hit').count()).toBe(4)
    })

    it('shows models and taps side by side', async () => {
      await type('serve requests with middleware')
      await checkbox('docs-early').check()
      await eventually(() => page.locator('.column').count()).toBe(2)
      await eventually(() => page.locator('.column[aria-busy]').count()).toBe(0)
      expect(await column('docs').locator('.model').textContent()).toContain('last_hidden_state')
      expect(await column('docs-early').locator('.model').textContent()).toContain('encoder.layer.2')
      expect(await column('docs-early').locator('.hit').count()).toBe(10)
      expect(await status()).toBe('10 hits in docs; 10 hits in docs-early.')
      expect(await page.evaluate("document.activeElement.closest('label').textContent")).toMatch(
        /^docs-early/,
      )
      const id = (await column('docs').locator('.hit').first().getAttribute('data-id'))!
      await column('docs').locator('.hit').first().hover()
      const same = page.locator('.hit.same')
      expect(await same.evaluateAll((rows) => rows.map((row) => row.getAttribute('data-id')))).toContain(id)
      // What one model cannot be asked is said in its column, and the others answer.
      await checkbox('pictures').check()
      await eventually(() => column('pictures').locator('.note').textContent()).toMatch(/embeds pictures/)
      await eventually(() => column('docs').locator('.hit').count()).toBe(10)
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    })

    it('adds a folder as a collection of a layer of choice, with progress, and files to one that is there', async () => {
      const notes = join(folder, 'to add/notes')
      mkdirSync(join(notes, 'inner'), { recursive: true })
      for (let i = 0; i < 30; i++)
        writeFileSync(
          join(notes, i % 2 ? '' : 'inner', `${i}.txt`),
          `Note ${i}: the towhee sings in the brush.\n`,
        )
      writeFileSync(join(notes, 'broken.txt'), new Uint8Array([0xff, 0xfe, 0x00, 0xd8, 0x41]))
      await page.getByRole('button', { name: 'Add files' }).click()
      await page.locator('input[webkitdirectory]').setInputFiles(notes)
      expect(await page.locator('.summary').textContent()).toMatch(/^31 files, /)
      await page.selectOption('#adding-target', '')
      // A name of a collection of another model is no place for them.
      await page.fill('#adding-name', 'pictures')
      await page.getByRole('button', { name: 'Add', exact: true }).click()
      expect(await page.locator('#adding .told').textContent()).toBe(
        'There is another collection called pictures: choose another name.',
      )
      await page.fill('#adding-name', 'notes')
      await page.focus('#adding-tap')
      await eventually(() => page.locator('#adding-layers option[value="encoder.layer.1"]').count()).toBe(1)
      await page.fill('#adding-tap', 'encoder.layer.1')
      await page.selectOption('#adding-pool', 'mean')
      const told: string[] = []
      await page.exposeFunction('told', (text: string) => told.push(text))
      await page.evaluate(
        "new MutationObserver(() => told(document.querySelector('#adding .told').textContent)).observe(document.querySelector('#adding .told'), { childList: true, characterData: true, subtree: true })",
      )
      await page.getByRole('button', { name: 'Add', exact: true }).click()
      await eventually(() => page.locator('#adding .told').textContent()).toMatch(
        /^Done: 30 rows added, 1 left out\.$/,
      )
      expect(told.some((text) => /of 31 files; /.test(text))).toBe(true)
      expect(await page.locator('.left li').allTextContents()).toEqual([
        expect.stringMatching(/^(?!.*broken.*broken).*notes\/broken\.txt/),
      ])
      await page.getByRole('button', { name: 'Close' }).click()
      await eventually(() => checkbox('notes').isChecked()).toBe(true)
      await type('birdsong')
      expect(await column('notes').locator('.model').textContent()).toContain('encoder.layer.1')
      expect(await column('notes').locator('.place').first().textContent()).toMatch(
        /^notes\/(inner\/)?line 1/,
      )

      // Several pictures that are dropped are for keeping: in a collection of uploads, as one of the server's own files takes none.
      const [bricks, galaxies] = [join(samples, 'bricks.jpg'), join(samples, 'galaxies.jpg')]
      for (const [paths, offered] of [
        [[bricks, join(samples, 'fig.jpg')], ''],
        [[galaxies, join(samples, 'gravel.jpg')], 'kept'],
      ] as const) {
        await drop([...paths], 'image/jpeg')
        await eventually(() => page.locator('#adding[open] .summary').count()).toBe(1)
        await eventually(() => page.locator('.summary').textContent()).toMatch(/^2 files, /)
        // The collection that was made a moment ago is offered when the page has heard of it.
        await eventually(() => page.inputValue('#adding-target')).toBe(offered)
        const targets = await page.locator('#adding-target option').allTextContents()
        expect(targets.some((text) => /^(?:pictures|docs)\b/.test(text))).toBe(false)
        if (offered === '') await page.fill('#adding-name', 'kept')
        await page.getByRole('button', { name: 'Add', exact: true }).click()
        await eventually(() => page.locator('#adding .told').textContent()).toBe('Done: 2 rows added.')
        await page.keyboard.press('Escape')
      }
      await page.goto(`${server.url}/?in=kept`)
      await page.setInputFiles('#picture input', galaxies)
      await eventually(async () => (await files())[0]).toBe('galaxies.jpg')
      const first = page.locator('.frame img').first()
      await eventually(() => first.evaluate((image) => image['naturalWidth'] as number)).toBeGreaterThan(50)
    })

    it('takes a folder that is dropped, with all that is in it but hidden files', async () => {
      const birds = join(folder, 'to drop/birds')
      mkdirSync(join(birds, 'of prey'), { recursive: true })
      // More than a hundred: the browser hands on the entries of a folder in parts.
      for (let i = 0; i < 120; i++) writeFileSync(join(birds, `${i}.txt`), `Note ${i} about towhees.\n`)
      writeFileSync(join(birds, 'of prey/kite.txt'), 'A kite circles above the field.\n')
      writeFileSync(join(birds, '.hidden.txt'), 'Nobody reads this.\n')
      // A drop as the browser itself makes it: scripts cannot make entries of folders.
      const session = await page.context().newCDPSession(page)
      const data = { items: [], files: [birds], dragOperationsMask: 1 }
      for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
        await session.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data })
        // Chromium drops where it knows that the page took the move before.
        await new Promise((resolve) => setTimeout(resolve, 300))
      }
      await eventually(() => page.locator('.summary').textContent()).toMatch(/^121 files, /)
      await page.selectOption('#adding-target', '')
      await page.fill('#adding-name', 'birds')
      await page.getByRole('button', { name: 'Add', exact: true }).click()
      await eventually(() => page.locator('#adding .told').textContent()).toBe('Done: 121 rows added.')
      await page.keyboard.press('Escape')
      await page.goto(`${server.url}/?in=birds&q=kite`)
      await eventually(() => page.locator('.place').first().textContent()).toMatch(/^birds\/of prey\//)
    })

    it('is worked by the keyboard alone', async () => {
      const focused = () =>
        page.evaluate(
          "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()",
        )
      await page.goto(`${server.url}/?in=docs`)
      await page.keyboard.press('/')
      await page.keyboard.type('resize pictures')
      await page.keyboard.press('Enter')
      await eventually(() => page.locator('.hit').count()).toBe(10)
      await page.keyboard.press('ArrowDown')
      expect(await focused()).toBe('README.md: more like this')
      await page.keyboard.press('ArrowDown')
      const id = await page.evaluate("document.activeElement.closest('.hit').dataset.id")
      await page.keyboard.press('Enter')
      await eventually(() => address().get('like')).toBe(id)
      await page.keyboard.press('/')
      expect(await page.evaluate('document.activeElement.id')).toBe('words')
      // All controls are reached in the order in which they stand, and a dialog gives the focus back.
      const seen: unknown[] = []
      for (let i = 0; i < 4; i++) {
        await page.keyboard.press('Tab')
        seen.push(await page.evaluate('document.activeElement.id || document.activeElement.type'))
      }
      expect(seen).toEqual(['file', 'submit', 'add', 'checkbox'])
      await page.keyboard.press('Shift+Tab')
      await page.keyboard.press('Enter')
      await eventually(() => page.locator('#adding').isVisible()).toBe(true)
      await page.keyboard.press('Escape')
      await eventually(() => page.evaluate('document.activeElement.id')).toBe('add')
    })

    const states: [name: string, query: string, then?: () => Promise<unknown>][] = [
      ['at the start', ''],
      ['with passages', '?in=docs&in=docs-early&q=image+formats'],
      ['with pictures', '?in=pictures&like=pictures/cat.jpg'],
      [
        'with filters',
        '?in=docs&q=image&where=["path","contains","docs"]',
        () => page.locator('.condition').waitFor(),
      ],
      [
        'with a dialog',
        '?in=docs',
        async () => {
          await page.getByRole('button', { name: 'Add files' }).click()
          await page.selectOption('#adding-target', '')
        },
      ],
      ['where nothing fits', '?in=docs&q=image&where=["path","eq","none"]'],
      ['of a collection that is not there', '?in=none&q=image'],
    ]

    it.each(
      states,
    )('has no fault that axe finds, light or dark, wide or narrow: %s', async (_, query, then) => {
      await page.goto(`${server.url}/${query}`)
      await page.waitForLoadState('networkidle')
      await then?.()
      await page.evaluate(axe)
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await expectNoFault()
      }
      await page.setViewportSize({ width: 360, height: 740 })
      await expectNoFault()
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
      const dialog = page.locator('dialog[open]')
      if (await dialog.count())
        expect(await dialog.evaluate((it) => it['scrollWidth'] - it['clientWidth'])).toBe(0)
    })

    async function expectNoFault() {
      const faults = await page.evaluate(
        "axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => [id, html, failureSummary])))",
      )
      expect(faults).toEqual([])
    }

    it('shows hostile texts and names as the texts that they are', async () => {
      await page.goto(`${server.url}/?in=docs`)
      await type('a heron in the reeds')
      const first = page.locator('.hit').first()
      expect(await first.locator('.like').textContent()).toBe(`${HOSTILE}.txt`)
      expect(await first.locator('.text').textContent()).toContain('<script>window.hit=1</script>')
      expect(await page.locator('main script, .hit img, main [onerror]').count()).toBe(0)
      await first.locator('.like').click()
      await eventually(() => page.locator('#example span').textContent()).toContain(HOSTILE)
      await page.goto(
        `${server.url}/?${new URLSearchParams({ q: HOSTILE, in: HOSTILE, where: JSON.stringify([HOSTILE, 'eq', HOSTILE]) })}`,
      )
      await eventually(() => page.locator('.column .note').textContent()).toContain('<img src=x onerror=')
    })

    it('says when the server does not answer, and goes on when it does', async () => {
      const other = await testServer({ models: [defaultTextModel], db: join(folder, 'db') })
      await open(other.url)
      await type('image')
      await other.close()
      await page.fill('#words', 'picture')
      await eventually(() => page.locator('[role=alert]').textContent()).toMatch(
        /^The server does not answer/,
      )
      expect(await page.locator('.hit').count()).toBe(0)
      await page.evaluate(axe)
      await expectNoFault()
      const again = await testServer({ models: [defaultTextModel], db: join(folder, 'db'), port: other.port })
      try {
        await page.getByRole('button', { name: 'Try again' }).click()
        await eventually(() => page.locator('.hit').count()).toBe(10)
        expect(await page.locator('[role=alert]').textContent()).toBe('')
        expect(again.errors).toEqual([])
      } finally {
        await again.close()
      }
    })

    it('begins with nothing, and asks for the key of a server that has one', async () => {
      const locked = await testServer({ keys: ['a-secret-of-tests'] })
      try {
        await open(locked.url)
        await page.getByLabel('This server asks for a key').fill('wrong')
        await page.keyboard.press('Enter')
        await page.getByLabel('The key is not right').fill('a-secret-of-tests')
        await page.keyboard.press('Enter')
        await eventually(() => page.locator('.empty h2').textContent()).toBe('There is nothing to search yet')
        await page.evaluate(axe)
        await expectNoFault()
        await page.locator('.empty button').click()
        await page
          .locator('.zone input')
          .first()
          .setInputFiles([join(samples, 'cat.jpg'), join(samples, 'fig.jpg')])
        expect(await page.inputValue('#adding-name')).toBe('pictures')
        await page.getByRole('button', { name: 'Add', exact: true }).click()
        await eventually(() => page.locator('#adding .told').textContent()).toBe('Done: 2 rows added.')
        await page.keyboard.press('Escape')
        await page.setInputFiles('#picture input', join(samples, 'cat-face.jpg'))
        await eventually(files).toEqual(['cat.jpg', 'fig.jpg'])
        await eventually(() =>
          page
            .locator('.frame img')
            .first()
            .evaluate((image) => image['naturalWidth'] as number),
        ).toBeGreaterThan(50)
        expect(locked.errors).toEqual([])
      } finally {
        await locked.close()
      }
    })

    it('draws the map of a collection as the atlas', async () => {
      await page.goto(`${server.url}/?in=pictures&like=pictures/cat.jpg`)
      await page.getByRole('link', { name: 'Map of pictures' }).click()
      await eventually(() => page.locator('#atlas h1').textContent()).toBe('pictures')
      expect(await page.locator('.legend').textContent()).toMatch(/\d points/)
      await eventually(() => page.locator('img.label.picture').count()).toBeGreaterThan(0)
      await page.setViewportSize({ width: 360, height: 740 })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
      await page.getByRole('link', { name: 'Back to the search' }).click()
      await eventually(async () => (await files())[0]).toBe('cat-face.jpg')
      expect([address().get('like'), address().getAll('in')]).toEqual(['pictures/cat.jpg', ['pictures']])
      // The way back is that of the search as it was when the map was opened.
      await page.goto(`${server.url}/?in=pictures&in=docs`)
      await type('resize images')
      await page
        .getByLabel('One hit a file')
        .evaluate((box) => box.closest('details')!.setAttribute('open', ''))
      await page.getByLabel('One hit a file').check()
      await eventually(() => column('docs').locator('.hit').count()).toBe(4)
      await page.getByRole('link', { name: 'Map of docs' }).click()
      await eventually(() => page.locator('#atlas h1').textContent()).toBe('docs')
      const wider = await page
        .locator('body *')
        .evaluateAll((all) =>
          all
            .filter((each) => !each.closest('.map') && each.getBoundingClientRect().right > 360)
            .map((each) => each.outerHTML.slice(0, 200)),
        )
      expect(wider).toEqual([])
      await page.getByRole('link', { name: 'Back to the search' }).click()
      await eventually(() => column('docs').locator('.hit').count()).toBe(4)
      expect([await page.inputValue('#words'), address().getAll('in'), address().has('single')]).toEqual([
        'resize images',
        ['pictures', 'docs'],
        true,
      ])
      await page.goto(`${server.url}/map.html?in=none`)
      await eventually(() => page.locator('#told').textContent()).toMatch(/^There is no collection "none"/)
    })

    it('is small', async () => {
      const sizes = await Promise.all(
        ['', 'search.js', 'search.css'].map(
          async (name) => (await (await fetch(`${server.url}/${name}`)).text()).length,
        ),
      )
      expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(48_000)
    })
  },
)
