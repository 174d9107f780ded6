/** A place's name as `model.placeNames()` has it; other names stay as they are. */
export function placeName(name: string): string {
  if (name === 'features') return 'forward_features'
  return /^[a-z]+(?:[A-Z][a-z]+)+(?:\.\d+)?$/.test(name)
    ? name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
    : name
}
