/** The name of a place as `model.placeNames()` spells it, of one in camel case or called `features`; other names stay. */
export function spelledAsPlace(name: string): string {
  if (name === 'features') return 'forward_features'
  return /^[a-z]+(?:[A-Z][a-z]+)+(?:\.\d+)?$/.test(name)
    ? name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
    : name
}
