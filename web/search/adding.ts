// The dialog in which files are added: chosen or dropped, sent in parts, and indexed with progress.
import { counted, element } from '../dom.ts'
import {
  cancel,
  follow,
  type Job,
  type Listed,
  layers,
  type Model,
  models,
  Problem,
  type Target,
  upload,
} from './api.ts'
import { chosen, type Found, readDropped } from './dropped.ts'

/** Bytes and files that are sent together; what is larger is sent alone. */
const PART = { bytes: 8 * 2 ** 20, files: 200 }

/** Reasons that are listed. */
const LISTED = 50

const poolings = ['mean', 'cls', 'last', 'max', 'flatten']

/** The end of files that were added. */
interface Tally {
  /** Files that were dealt with. */
  files: number
  indexed: number
  unchanged: number
  skipped: { readonly id: string; readonly reason: string }[]
  skippedCount: number
}

/** The dialog. */
export class Adding {
  readonly #dialog: HTMLDialogElement
  readonly #onAdded: (collection: string) => void
  #files: readonly Found[] = []
  /** Collections that files can be uploaded into. */
  #listed: readonly Listed[] = []
  #all: readonly Listed[] = []
  #models: readonly Model[] = []
  #stop: AbortController | undefined
  readonly #summary = element('p', { class: 'summary', role: 'status' })
  readonly #target = element('select', { id: 'adding-target' })
  readonly #name = element('input', {
    id: 'adding-name',
    required: true,
    maxlength: 128,
    pattern: '[A-Za-z0-9][A-Za-z0-9_.\\-]*',
    title: 'Letters, digits, _, - and .',
  })
  readonly #model = element('select', { id: 'adding-model' })
  readonly #tap = element('input', {
    id: 'adding-tap',
    placeholder: 'as the model is served',
    spellcheck: false,
    list: 'adding-layers',
    on: { focus: () => void this.#offerLayers() },
  })
  readonly #layers = element('datalist', { id: 'adding-layers' })
  #layersOf = ''
  readonly #pool = element('select', { id: 'adding-pool' })
  readonly #fresh: HTMLElement
  readonly #go = element('button', { type: 'submit', class: 'main', text: 'Add' })
  readonly #bar = element('progress', { 'aria-label': 'Progress of indexing', hidden: true })
  readonly #told = element('p', { class: 'told', role: 'status' })
  readonly #left = element('ul', { class: 'left', 'aria-label': 'Left out' })
  readonly #cancel = element('button', {
    type: 'button',
    text: 'Stop',
    hidden: true,
    on: { click: () => this.#stop?.abort() },
  })

  /** @param onAdded is called when files have been added to a collection */
  constructor(dialog: HTMLDialogElement, onAdded: (collection: string) => void) {
    this.#dialog = dialog
    this.#onAdded = onAdded
    const field = (label: string, control: HTMLElement, hint?: string) =>
      element(
        'p',
        { class: 'field' },
        element('label', { for: control.id, text: label }),
        control,
        hint === undefined ? undefined : element('small', { text: hint }),
      )
    this.#fresh = element(
      'div',
      { class: 'fresh' },
      field('Name', this.#name),
      field('Model', this.#model),
      field('Layer', this.#tap, 'Any layer of the model can be the embedding.'),
      this.#layers,
      field('Pooling', this.#pool),
    )
    this.#pool.append(
      element('option', { value: '', text: 'as the model is served' }),
      ...poolings.map((name) => element('option', { value: name, text: name })),
    )
    const choose = (label: string, more: Readonly<Record<string, unknown>>) =>
      element(
        'label',
        { class: 'button' },
        element('span', { text: label }),
        element('input', {
          class: 'unseen',
          type: 'file',
          multiple: true,
          ...more,
          on: {
            change: ({ currentTarget }: { currentTarget: HTMLInputElement }) =>
              this.offer(chosen(currentTarget.files)),
          },
        }),
      )
    const zone = element(
      'div',
      { class: 'zone' },
      element('p', { text: 'Drop a folder or files here' }),
      element(
        'p',
        { class: 'row' },
        choose('Choose files', {}),
        choose('Choose a folder', { webkitdirectory: true }),
      ),
      this.#summary,
    )
    dialog.append(
      element(
        'form',
        {
          on: {
            submit: (event: Event) => {
              event.preventDefault()
              void this.#add()
            },
          },
        },
        element('h2', { id: 'adding-title', text: 'Add files' }),
        zone,
        field('Into', this.#target),
        this.#fresh,
        this.#bar,
        this.#told,
        this.#left,
        element(
          'p',
          { class: 'row buttons' },
          this.#go,
          this.#cancel,
          element('button', { type: 'button', text: 'Close', on: { click: () => dialog.close() } }),
        ),
      ),
    )
    this.#target.addEventListener('change', () => {
      this.#showFresh()
      this.#offerName()
    })
    this.#model.addEventListener('change', () => {
      this.#tap.value = ''
      this.#offerName()
    })
    dialog.addEventListener('drop', (event) => {
      event.preventDefault()
      event.stopPropagation()
      zone.classList.remove('over')
      if (event.dataTransfer) void readDropped(event.dataTransfer).then((found) => this.offer(found))
    })
    dialog.addEventListener('dragover', (event) => {
      event.preventDefault()
      zone.classList.add('over')
    })
    dialog.addEventListener('dragleave', () => zone.classList.remove('over'))
  }

  /** True while files are being sent or indexed. */
  get isBusy(): boolean {
    return this.#stop !== undefined
  }

  /** Opens the dialog. @throws Problem */
  async open(listed: readonly Listed[], preferred: string | undefined): Promise<void> {
    if (this.#models.length === 0) this.#models = await models()
    if (!this.isBusy) {
      this.know(listed, preferred)
      this.#model.replaceChildren(
        ...this.#models.map(({ id, modality }) =>
          element('option', { value: id, text: `${id} (${kinds[modality]})` }),
        ),
      )
      this.#tell('')
      this.#left.replaceChildren()
      this.#suit()
    }
    if (!this.#dialog.open) this.#dialog.showModal()
  }

  /** Takes the collections that there are; files go into one of them, or into a new one. */
  know(listed: readonly Listed[], preferred = this.#target.value): void {
    this.#all = listed
    this.#listed = listed.filter(({ uploads }) => uploads)
    this.#target.replaceChildren(
      ...this.#listed.map(({ name, model }) =>
        element('option', { value: name, selected: name === preferred, text: `${name} (${model})` }),
      ),
      element('option', { value: '', text: 'A new collection' }),
    )
    this.#showFresh()
  }

  /** Takes files, which wait until the reader says where they go. */
  offer(files: readonly Found[]): void {
    if (this.isBusy) return
    this.#files = files
    this.#tell('')
    this.#left.replaceChildren()
    this.#bar.hidden = true
    this.#suit()
  }

  /** Offers what suits the files that were chosen: a model, a collection, a name. */
  #suit(): void {
    if (this.#files.length > 0) {
      const pictures = this.#files.filter(({ file }) => file.type.startsWith('image/')).length
      const kind = pictures > this.#files.length / 2 ? 'image' : 'text'
      const model = this.#models.find(({ modality }) => modality === kind)
      if (model) this.#model.value = model.id
      const taking = this.#listed.find(({ name }) => name === this.#target.value)
      // A collection of the other kind takes none of them.
      if (taking && taking.modality !== 'text-image' && taking.modality !== kind)
        this.#target.value = this.#listed.find(({ modality }) => modality === kind)?.name ?? ''
    }
    // A layer is one of its model.
    this.#tap.value = ''
    this.#pool.value = ''
    this.#showFresh()
    this.#offerName()
    this.#showSummary()
  }

  #showSummary(): void {
    const bytes = this.#files.reduce((sum, { file }) => sum + file.size, 0)
    this.#summary.textContent =
      this.#files.length === 0
        ? 'No files chosen yet.'
        : `${counted(this.#files.length, 'file')}, ${sized(bytes)}`
    this.#go.disabled = this.#files.length === 0
  }

  #showFresh(): void {
    const isFresh = this.#target.value === ''
    this.#fresh.hidden = !isFresh
    this.#name.disabled = !isFresh
  }

  /** A name that is free, and says what the collection holds. */
  #offerName(): void {
    const modality = this.#models.find(({ id }) => id === this.#model.value)?.modality ?? 'text'
    const base = modality === 'image' ? 'pictures' : modality === 'text' ? 'texts' : 'files'
    const taken = new Set(this.#all.map(({ name }) => name))
    let name = base
    for (let i = 2; taken.has(name); i++) name = `${base}-${i}`
    this.#name.value = name
  }

  /** The layers of the model, to choose from. */
  async #offerLayers(): Promise<void> {
    const model = this.#model.value
    if (this.#layersOf === model) return
    this.#layersOf = model
    this.#layers.replaceChildren()
    let found: Awaited<ReturnType<typeof layers>>
    try {
      found = await layers(model)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      // Names can still be typed, and the next time it may answer.
      this.#layersOf = ''
      return
    }
    if (this.#layersOf !== model) return
    this.#layers.replaceChildren(
      ...found.map(({ name, kind, shape }) =>
        element('option', {
          value: name,
          label: `${name} · ${kind} ${shape?.join(' × ') ?? ''}`,
        }),
      ),
    )
  }

  #tell(text: string, isProblem = false): void {
    this.#told.textContent = text
    this.#told.classList.toggle('failed', isProblem)
  }

  async #add(): Promise<void> {
    if (this.isBusy || this.#files.length === 0) return
    const isFresh = this.#target.value === ''
    const tap = this.#tap.value.trim()
    const target: Target = isFresh
      ? {
          collection: this.#name.value.trim(),
          model: this.#model.value,
          ...(tap !== '' && { tap }),
          ...(this.#pool.value !== '' && { pool: this.#pool.value }),
        }
      : { collection: this.#target.value }
    const { collection, model } = target
    const there = isFresh ? this.#all.find(({ name }) => name === collection) : undefined
    if (there && (!there.uploads || there.model !== model)) {
      this.#tell(taken(collection), true)
      this.#name.focus()
      return
    }
    const stop = new AbortController()
    this.#stop = stop
    this.#busy(true)
    const tally: Tally = { files: 0, indexed: 0, unchanged: 0, skipped: [], skippedCount: 0 }
    try {
      for (const part of parts(this.#files)) await this.#send(target, part, tally, stop.signal)
      this.#tell(`Done: ${said(tally)}.`)
    } catch (error) {
      const isStopped = stop.signal.aborted
      if (!isStopped && !(error instanceof Problem)) throw error
      const isTaken = error instanceof Problem && error.code === 'collection_mismatch'
      const why = isStopped ? 'Stopped.' : isTaken ? taken(collection) : (error as Problem).message
      const hasSome = tally.indexed + tally.unchanged + tally.skippedCount > 0
      this.#tell(`${why}${hasSome ? ` What was stored stays: ${said(tally)}.` : ''}`, !isStopped)
    } finally {
      this.#stop = undefined
      this.#busy(false)
      this.#left.replaceChildren(
        ...leftOut(tally)
          .slice(0, LISTED)
          .map(([file, reason]) => leftLine(file, reason)),
      )
    }
    if (tally.files + tally.indexed > 0) this.#onAdded(collection)
  }

  /** Sends files together, or in halves where that is too much at a time. */
  async #send(target: Target, files: readonly Found[], tally: Tally, signal: AbortSignal): Promise<void> {
    const before = { ...tally }
    const show = (progress?: Job['progress']) => {
      const { done = 0, total } = progress ?? {}
      const share = total ? done / total : 0
      this.#bar.max = this.#files.length
      this.#bar.value = before.files + share * files.length
      const rows = before.indexed + before.unchanged + (progress ? progress.indexed + progress.unchanged : 0)
      const dealt = Math.floor(this.#bar.value).toLocaleString('en')
      const now = !progress ? 'sending' : done === 0 ? 'reading' : `${counted(rows, 'row')} stored`
      this.#tell(`${dealt} of ${counted(this.#files.length, 'file')}; ${now} …`)
    }
    show()
    let job: Job
    try {
      job = await upload(target, files, signal)
    } catch (error) {
      if (!(error instanceof Problem) || error.status !== 413) throw error
      if (files.length === 1) {
        tally.files++
        tally.skippedCount++
        tally.skipped.push({ id: files[0]!.path, reason: error.message })
        return
      }
      const middle = Math.ceil(files.length / 2)
      await this.#send(target, files.slice(0, middle), tally, signal)
      return this.#send(target, files.slice(middle), tally, signal)
    }
    const halt = () => void cancel(job.id).catch(() => {})
    signal.addEventListener('abort', halt, { once: true })
    let last: Job['progress'] | undefined = job.progress
    try {
      const { report, error, progress } = await follow(
        job.id,
        (state) => {
          last = state.progress
          show(last)
        },
        signal,
      )
      last = undefined
      if (error) throw new Problem(500, error.code, error.message)
      tally.files += files.length
      tally.indexed += report?.indexed ?? progress.indexed
      tally.unchanged += report?.unchanged ?? progress.unchanged
      tally.skippedCount += report?.skippedCount ?? progress.skipped
      tally.skipped.push(...(report?.skipped ?? []))
    } finally {
      signal.removeEventListener('abort', halt)
      // Of a job that was left before its end.
      tally.indexed += last?.indexed ?? 0
      tally.unchanged += last?.unchanged ?? 0
      tally.skippedCount += last?.skipped ?? 0
    }
  }

  #busy(isBusy: boolean): void {
    this.#bar.hidden = !isBusy
    this.#cancel.hidden = !isBusy
    this.#go.disabled = isBusy
    for (const control of [this.#target, this.#model, this.#tap, this.#pool]) control.disabled = isBusy
    if (isBusy) this.#cancel.focus()
    else if (document.activeElement === document.body || document.activeElement === this.#cancel)
      this.#go.focus()
  }
}

const kinds: Readonly<Record<string, string>> = {
  text: 'texts',
  image: 'pictures',
  'text-image': 'texts and pictures',
}

/** Files in parts that are sent one after the other. */
function* parts(files: readonly Found[]): Generator<Found[]> {
  let part: Found[] = []
  let bytes = 0
  for (const found of files) {
    const isFull = part.length === PART.files || bytes + found.file.size > PART.bytes
    if (isFull && part.length > 0) {
      yield part
      part = []
      bytes = 0
    }
    part.push(found)
    bytes += found.file.size
  }
  if (part.length > 0) yield part
}

const taken = (name: string): string => `There is another collection called ${name}: choose another name.`

/** Files that were left out, each once, with the first reason. */
function leftOut({ skipped }: Tally): [id: string, reason: string][] {
  const reasons = new Map<string, string>()
  for (const { id, reason } of skipped) {
    const file = id.replace(/(?:#.*|:\d+)$/, '')
    if (!reasons.has(file)) reasons.set(file, reason)
  }
  return [...reasons]
}

/** A line of what was left out: the reason, which names the file in most cases. */
function leftLine(file: string, reason: string): HTMLElement {
  const at = reason.indexOf(file)
  const [before, after] = at < 0 ? ['', ` ${reason}`] : [reason.slice(0, at), reason.slice(at + file.length)]
  return element(
    'li',
    {},
    element('span', { text: before }),
    element('b', { text: file }),
    element('span', { text: after }),
  )
}

function said({ indexed, unchanged, skippedCount }: Tally): string {
  return [
    `${counted(indexed, 'row')} added`,
    ...(unchanged > 0 ? [`${unchanged.toLocaleString('en')} unchanged`] : []),
    ...(skippedCount > 0 ? [`${skippedCount.toLocaleString('en')} left out`] : []),
  ].join(', ')
}

const sized = (bytes: number): string =>
  bytes < 1e6 ? `${Math.ceil(bytes / 1000).toLocaleString('en')} kB` : `${(bytes / 1e6).toFixed(1)} MB`
