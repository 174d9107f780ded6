// Draws the map of a collection: the atlas, with what the server knows.
import type { PageData } from '../../src/atlas/page/index.ts'
import { drawAtlas } from '../atlas/atlas.ts'
import { mapOf, Problem } from './api.ts'

const told = document.getElementById('told')!
const given = new URLSearchParams(location.search)
const name = given.get('in') ?? ''
document.title = `Map of ${name} · Pipilo`
// Whatever it says is a query of the page of search, and leads nowhere else.
const back = new URLSearchParams(given.get('back') ?? { in: name })
document.querySelector<HTMLAnchorElement>('#back')!.href = `./?${back}`

mapOf<PageData>(name).then(
  (data) => {
    told.hidden = true
    drawAtlas(document.getElementById('atlas')!, data)
  },
  (error: unknown) => {
    told.textContent = error instanceof Problem ? error.message : String(error)
  },
)
