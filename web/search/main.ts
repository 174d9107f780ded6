// The page of search: keeps the address, the form and the results of one mind.
import { counted, element } from '../dom.ts'
import { Adding } from './adding.ts'
import {
  collections,
  type Field,
  fields,
  has,
  key,
  type Listed,
  Problem,
  type Query,
  search,
  thumbnail,
} from './api.ts'
import { lacking, namesFields, seesPictures, unfit } from './askable.ts'
import { isPicture, readDropped } from './dropped.ts'
import { Column } from './hits.ts'
import { askToRemove } from './removing.ts'
import { options, picker } from './settings.ts'
import { filterOf, readState, type State, writeState } from './state.ts'

/** Milliseconds after the last letter. */
const PAUSE = 250

const byId = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E

/** A picture that is searched by: its data URL. */
type Picture = { readonly name: string; readonly url: string }

/** Place in the tab's memory of the pictures that were searched by, with their keys: the way back from a map or from another site finds them there. */
const PICTURES = 'pipilo-pictures'

class Page {
  readonly #form = byId<HTMLFormElement>('search')
  readonly #words = byId<HTMLInputElement>('words')
  readonly #example = byId('example')
  readonly #settings = byId('settings')
  readonly #status = byId('status')
  readonly #problem = byId('problem')
  readonly #notice = byId('notice')
  readonly #results = byId('results')
  readonly #adding = new Adding(byId<HTMLDialogElement>('adding'), (name) => void this.#added(name))
  readonly #pictures = new Map<string, Picture>(
    JSON.parse(sessionStorage.getItem(PICTURES) ?? '[]') as [string, Picture][],
  )
  #state: State = readState(location.search)
  #listed: readonly Listed[] = []
  /** Ends when `#listed` is what the server says. */
  #listing: Promise<unknown> = Promise.resolve()
  readonly #fields = new Map<string, readonly Field[]>()
  #stop: AbortController | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  /** True while letters of one query come: they make one entry of the history. */
  #isTyping = false

  async start(): Promise<void> {
    this.#listen()
    await this.#load()
    // A reader who asked for nothing else wants to type.
    if (document.activeElement === document.body && matchMedia('(pointer: fine)').matches) this.#words.focus()
  }

  /** Collections that columns are of: those of the address, else the first that fits. */
  get #from(): readonly string[] {
    const { from } = this.#state
    if (from.length > 0) return from
    const fits =
      this.#state.picture === undefined ? ['text', 'text-image', 'image'] : ['image', 'text-image', 'text']
    const ofKind = fits.map((kind) =>
      this.#listed.find(({ modality, rows }) => modality === kind && rows > 0),
    )
    const first = ofKind.find((found) => found !== undefined) ?? this.#listed[0]
    return first ? [first.name] : []
  }

  /** Asks the server for its collections, and shows what the address says. */
  async #load(): Promise<void> {
    this.#listing = this.#list()
    if (await this.#listing) await this.#show()
  }

  /** Asks the server for its collections. @returns false where it did not say */
  async #list(): Promise<boolean> {
    try {
      this.#listed = await collections()
      this.#fields.clear()
      this.#problem.replaceChildren()
      return true
    } catch (error) {
      this.#fail(error, () => void this.#load())
      return false
    }
  }

  /** Goes to another state: an entry of the history, unless it only completes the one before. */
  #go(change: Partial<State>, { replace = false, typed = false, notice = '' } = {}): void {
    this.#notice.textContent = notice
    this.#state = { ...this.#state, ...change }
    const address = writeState(this.#state)
    if (replace) history.replaceState(null, '', address)
    else history.pushState(null, '', address)
    this.#isTyping = false
    void this.#show({ typed })
  }

  #listen(): void {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#type()
      this.#isTyping = false
    })
    this.#words.addEventListener('input', () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#type(), PAUSE)
    })
    this.#words.addEventListener('blur', () => {
      this.#isTyping = false
    })
    byId('picture')
      .querySelector('input')!
      .addEventListener('change', ({ currentTarget }) => {
        const input = currentTarget as HTMLInputElement
        if (input.files?.[0]) void this.#searchBy(input.files[0])
        // The same picture may be chosen again.
        input.value = ''
      })
    byId('add').addEventListener('click', () => void this.#open())
    addEventListener('popstate', () => {
      clearTimeout(this.#timer)
      this.#state = readState(location.search)
      this.#isTyping = false
      this.#notice.textContent = ''
      void this.#show()
    })
    document.addEventListener('paste', (event) => {
      const picture = [...(event.clipboardData?.files ?? [])].find(({ type }) => type.startsWith('image/'))
      if (!picture) return
      event.preventDefault()
      void this.#searchBy(picture)
    })
    this.#listenToKeys()
    this.#listenToDrops()
    const alike = (target: EventTarget | null) => {
      const id = (target as Element | null)?.closest?.<HTMLElement>('[data-id]')?.dataset['id']
      for (const row of this.#results.querySelectorAll<HTMLElement>('[data-id]'))
        row.classList.toggle('same', id !== undefined && row.dataset['id'] === id)
    }
    this.#results.addEventListener('pointerover', ({ target }) => alike(target))
    this.#results.addEventListener('pointerleave', () => alike(null))
    this.#results.addEventListener('focusin', ({ target }) => alike(target))
  }

  #listenToKeys(): void {
    document.addEventListener('keydown', (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector('dialog[open]')) return
      const target = event.target as HTMLElement
      if (event.key === '/' && !target.matches('input, select, textarea')) {
        event.preventDefault()
        this.#words.focus()
        this.#words.select()
        return
      }
      const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
      if (step === 0) return
      const hits = [...this.#results.querySelectorAll<HTMLElement>('.like')]
      const place = hits.indexOf((target.closest('.hit')?.querySelector('.like') ?? target) as HTMLElement)
      if (place < 0 && target !== this.#words) return
      event.preventDefault()
      if (place + step < 0) this.#words.focus()
      else hits[Math.min(place + step, hits.length - 1)]?.focus()
    })
  }

  #listenToDrops(): void {
    const veil = byId('dropping')
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true
    document.addEventListener('dragenter', (event) => {
      if (hasFiles(event) && !document.querySelector('dialog[open]')) veil.hidden = false
    })
    document.addEventListener('dragover', (event) => {
      if (hasFiles(event)) event.preventDefault()
    })
    document.addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) veil.hidden = true
    })
    document.addEventListener('drop', (event) => {
      veil.hidden = true
      if (!hasFiles(event)) return
      event.preventDefault()
      void readDropped(event.dataTransfer!).then(async (found) => {
        if (found.length === 0) return
        if (isPicture(found)) return this.#searchBy(found[0]!.file)
        await this.#open()
        this.#adding.offer(found)
      })
    })
  }

  /** Takes the words that were typed. */
  #type(): void {
    clearTimeout(this.#timer)
    const words = this.#words.value.trim()
    const { like, picture } = this.#state
    if (words === this.#state.words && (words !== '' || (like === undefined && picture === undefined))) return
    // An emptied field beside a picture or a row leaves that as it is.
    if (words === '' && (like !== undefined || picture !== undefined)) return
    const goesOn = this.#isTyping
    this.#go({ words, like: undefined, picture: undefined }, { replace: goesOn, typed: true })
    this.#isTyping = true
  }

  async #searchBy(file: File): Promise<void> {
    const url = await new Promise<string>((resolve, reject) => {
      const reader = new FileReader()
      reader.onload = () => resolve(reader.result as string)
      reader.onerror = () => reject(reader.error)
      reader.readAsDataURL(file)
    })
    const name = crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36)
    const picture = { name: file.name, url }
    this.#pictures.set(name, picture)
    this.#remember()
    // Collections of texts alone cannot be asked.
    const from = this.#from
    const isBlind = !this.#listed.some((listed) => seesPictures(listed) && from.includes(listed.name))
    const largest = this.#listed
      .filter((listed) => isBlind && seesPictures(listed) && listed.rows > 0)
      .sort((a, b) => b.rows - a.rows)[0]
    this.#go(
      { words: '', like: undefined, picture: name, ...(largest && { from: [largest.name] }) },
      largest && {
        notice: `${from.join(', ')} cannot be searched by a picture, so it is looked for in ${largest.name}.`,
      },
    )
  }

  /** Puts the pictures into the tab's memory, or as many of the last ones as it has room for. */
  #remember(): void {
    for (let kept = [...this.#pictures]; kept.length > 0; kept = kept.slice(1))
      try {
        sessionStorage.setItem(PICTURES, JSON.stringify(kept))
        return
      } catch {
        // The last one alone may be too large: then this page alone knows it.
      }
  }

  async #open(): Promise<void> {
    // A collection that was made a moment ago can be chosen.
    await this.#listing
    try {
      await this.#adding.open(this.#listed, this.#from[0])
    } catch (error) {
      this.#fail(error, () => void this.#open())
    }
  }

  async #added(name: string): Promise<void> {
    if (!this.#from.includes(name) || this.#state.from.length === 0) {
      this.#state = { ...this.#state, from: [...new Set([...this.#state.from, name])] }
      history.replaceState(null, '', writeState(this.#state))
    }
    const shown = this.#load()
    await this.#listing
    this.#adding.know(this.#listed, name)
    await shown
  }

  /** A collection as it was listed last. */
  #known = (listed: Listed): Listed => this.#listed.find(({ name }) => name === listed.name) ?? listed

  async #removed(name: string): Promise<void> {
    this.#state = { ...this.#state, from: this.#state.from.filter((other) => other !== name) }
    history.replaceState(null, '', writeState(this.#state))
    this.#notice.textContent = `${name} was deleted.`
    await this.#load()
    this.#results.focus({ preventScroll: true })
  }

  /** Draws the state: the form, the settings and, when they are there, the hits. */
  async #show({ typed = false } = {}): Promise<void> {
    this.#stop?.abort()
    const stop = new AbortController()
    this.#stop = stop
    const { words, like, picture } = this.#state
    // More letters may have come since.
    if (!typed) this.#words.value = words
    this.#showExample()
    this.#showSettings()
    const title = words || (like !== undefined ? `like ${like}` : picture !== undefined ? 'by picture' : '')
    document.title = title === '' ? 'Pipilo' : `${title} · Pipilo`
    if (this.#listed.length === 0) return this.#empty()
    const query = this.#query()
    if (query === undefined) return this.#idle()
    await this.#search(query, stop.signal)
  }

  /** The query of the state; undefined where there is none. */
  #query(): Query | undefined {
    const { words, like, picture } = this.#state
    if (picture !== undefined) {
      const found = this.#pictures.get(picture)
      return found && { image: found.url }
    }
    if (like !== undefined) return { id: like }
    return words === '' ? undefined : { text: words }
  }

  async #search(query: Query, signal: AbortSignal): Promise<void> {
    const { words, where, k, hybrid, single } = this.#state
    const from = this.#from
    const isSame = (column: Element, i: number) => (column as HTMLElement).dataset['collection'] === from[i]
    const old = [...this.#results.children]
    const stays = old.length === from.length && old.every(isSame) && this.#columns.length === from.length
    if (!stays) {
      this.#columns = from.map((name) => this.#column(name))
      this.#results.replaceChildren(...this.#columns.map((column) => column.element))
      this.#results.className = from.length > 1 ? 'columns' : ''
    }
    for (const column of this.#columns) column.wait()
    const found = await Promise.all(
      this.#columns.map(async (column, i) => {
        const name = from[i]!
        const distinct = single && { distinct: 'path' }
        const none = (why: string) => {
          column.say(why)
          return `${name}: ${why.replace(/\.$/, '')}`
        }
        try {
          const why = await this.#whyNot(name, query, signal)
          if (signal.aborted) return ''
          if (why !== undefined) return none(why)
          const hits = await search(
            name,
            query,
            { k, filter: filterOf(where), ...(hybrid && 'text' in query && { hybrid }), ...distinct },
            signal,
          )
          if (!signal.aborted) column.show(hits, words)
          return `${counted(hits.length, 'hit')} in ${name}`
        } catch (error) {
          if (signal.aborted) return ''
          if (!(error instanceof Problem)) throw error
          if (error.status === 0 || error.status === 401) {
            this.#fail(error, () => void this.#load())
            column.clear()
            return ''
          }
          return none(error.message)
        }
      }),
    )
    if (signal.aborted) return
    if (found.every((told) => told !== '')) this.#problem.replaceChildren()
    this.#status.textContent = `${found.filter(Boolean).join('; ')}${found.every(Boolean) ? '.' : ''}`
    await this.#loadFields(signal)
  }

  /** Why a collection cannot be asked; undefined where it can, and for one that the server tells of itself. */
  async #whyNot(name: string, query: Query, signal: AbortSignal): Promise<string | undefined> {
    const listed = this.#listed.find((each) => each.name === name)
    if (!listed) return undefined
    const why = unfit(listed, query)
    if (why !== undefined) return why
    if ('id' in query && !(await has(name, query.id, signal))) return 'This row is of another collection.'
    return namesFields(this.#state) ? lacking(await this.#fieldsOf(name), query, this.#state) : undefined
  }

  async #fieldsOf(name: string): Promise<readonly Field[]> {
    const known = this.#fields.get(name) ?? (await fields(name))
    this.#fields.set(name, known)
    return known
  }

  #columns: Column[] = []

  #column(name: string): Column {
    const unknown = {
      name,
      rows: 0,
      dimensions: 0,
      model: null,
      modality: null,
      tap: [],
      pool: null,
      uploads: false,
    }
    const listed = this.#listed.find((each) => each.name === name)
    return new Column(listed ?? unknown, {
      remove:
        listed &&
        (() =>
          askToRemove(
            byId<HTMLDialogElement>('removing'),
            this.#known(listed),
            () => void this.#removed(name),
          )),
      like: (id) => {
        this.#go({ words: '', like: id, picture: undefined })
        this.#results.focus({ preventScroll: true })
        const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches
        scrollTo({ top: 0, behavior: isStill ? 'instant' : 'smooth' })
      },
      filter: (condition) => {
        const others = this.#state.where.filter(
          ({ field, test }) => field !== condition.field || test !== condition.test,
        )
        this.#go({ where: [...others, condition] })
      },
    })
  }

  /** The picture or the row that is searched by, before the words. */
  #showExample(): void {
    const { like, picture } = this.#state
    const found = picture === undefined ? undefined : this.#pictures.get(picture)
    this.#example.hidden = like === undefined && picture === undefined
    if (this.#example.hidden) {
      this.#example.replaceChildren()
      return
    }
    const name = like ?? found?.name ?? 'a picture'
    const image = element('img', { class: 'thumb', alt: '', hidden: !found })
    if (found) image.src = found.url
    else if (like !== undefined) void this.#showRow(image, like)
    this.#example.replaceChildren(
      image,
      element('span', {
        text: like === undefined ? name : `Like ${name.slice(name.lastIndexOf('/') + 1)}`,
        title: name,
      }),
      element('button', {
        type: 'button',
        'aria-label': `No longer search by ${name}`,
        text: '×',
        on: {
          click: () => {
            this.#go({ like: undefined, picture: undefined })
            this.#words.focus()
          },
        },
      }),
    )
  }

  /** Shows the picture of a row, where it is one. */
  async #showRow(image: HTMLImageElement, id: string): Promise<void> {
    const home = this.#from.find((from) =>
      this.#listed.some(({ name, modality }) => name === from && modality !== 'text' && modality !== null),
    )
    if (home === undefined) return
    image.addEventListener('load', () => {
      image.hidden = false
    })
    image.src = await thumbnail(home, id).catch(() => 'data:,')
  }

  #showSettings(): void {
    this.#settings.hidden = this.#listed.length === 0
    if (this.#settings.hidden) return
    const known = new Map(
      this.#from.flatMap((name) => this.#fields.get(name) ?? []).map((field) => [field.name, field]),
    )
    const isOpen = this.#settings.querySelector('details')?.open ?? this.#state.where.length > 0
    const focused = [...this.#settings.querySelectorAll('input, select, button, summary')].indexOf(
      document.activeElement as Element,
    )
    const detail = options(this.#state, [...known.values()], isOpen, (change) => this.#go(change))
    this.#settings.replaceChildren(
      picker(this.#listed, this.#from, (change) => this.#go(change)),
      detail,
    )
    // Controls that were drawn anew keep the focus.
    if (focused >= 0) {
      const controls = this.#settings.querySelectorAll<HTMLElement>('input, select, button, summary')
      controls[Math.min(focused, controls.length - 1)]?.focus()
    }
    detail.addEventListener('toggle', () => {
      if (detail.open) void this.#loadFields(this.#stop?.signal)
    })
  }

  /** Asks for the fields that conditions can name, once conditions are looked at. */
  async #loadFields(signal: AbortSignal | undefined): Promise<void> {
    const missing = this.#from.filter((name) => !this.#fields.has(name))
    if (missing.length === 0 || !this.#settings.querySelector('details')?.open) return
    try {
      for (const name of missing) await this.#fieldsOf(name)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      return
    }
    if (!signal?.aborted) this.#showSettings()
  }

  /** Nothing is asked: a page that says what may be. */
  #idle(): void {
    this.#columns = []
    const isLost = this.#state.picture !== undefined
    const rows = this.#listed
      .filter(({ name }) => this.#from.includes(name))
      .reduce((sum, each) => sum + each.rows, 0)
    this.#status.textContent = ''
    this.#results.className = ''
    this.#results.replaceChildren(
      element(
        'div',
        { class: 'empty' },
        element('h2', { text: isLost ? 'That picture is not here any more' : 'Search by meaning' }),
        element('p', {
          text: isLost
            ? 'A picture is no part of an address. Drop or paste it once more.'
            : `Type what you look for, or drop or paste a picture. ${counted(rows, 'row')} in ${this.#from.join(', ')}.`,
        }),
      ),
    )
  }

  #empty(): void {
    this.#columns = []
    this.#status.textContent = ''
    this.#results.className = ''
    this.#results.replaceChildren(
      element(
        'div',
        { class: 'empty' },
        element('h2', { text: 'There is nothing to search yet' }),
        element('p', {
          text: 'Drop a folder of texts or pictures on this page. It is read by the server, and goes nowhere else.',
        }),
        element('button', {
          type: 'button',
          class: 'main',
          text: 'Add files',
          on: { click: () => void this.#open() },
        }),
      ),
    )
  }

  /** Tells of what went wrong with the server itself, and offers to try again. */
  #fail(error: unknown, again: () => void): void {
    if (!(error instanceof Problem)) throw error
    if (error.status === 401) {
      this.#askForKey(again)
      return
    }
    this.#problem.replaceChildren(
      element('p', { text: error.message }),
      element('button', { type: 'button', text: 'Try again', on: { click: again } }),
    )
  }

  #askForKey(again: () => void): void {
    const input = element('input', {
      type: 'password',
      id: 'key',
      required: true,
      autocomplete: 'current-password',
    })
    this.#problem.replaceChildren(
      element(
        'form',
        {
          class: 'row',
          on: {
            submit: (event: Event) => {
              event.preventDefault()
              key.set(input.value.trim())
              again()
            },
          },
        },
        element('label', {
          for: 'key',
          text: key.get() === '' ? 'This server asks for a key:' : 'The key is not right:',
        }),
        input,
        element('button', { type: 'submit', class: 'main', text: 'Use it' }),
      ),
    )
    input.focus()
  }
}

void new Page().start()
