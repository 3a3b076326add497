import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { certificateOf } from '../../../src/cutover/certificate/certificate.ts'
import { certificatePage } from '../../../src/cutover/certificate/page.ts'
import { openBrowser } from '../../browser.ts'
import { temporary } from '../../temporary.ts'
import { contents, input, seen } from './input.ts'

const EVIL = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`

test('the page of a certificate shows verdict, pause and way back first, asks nobody for anything and runs no script, whatever names say', async () => {
  const all = contents()
  all.base.differences.push(`changed ${EVIL}`)
  const made = input({ groupsLeft: [{ group: EVIL, why: EVIL }], consents: ['\'"&'] })
  const page = certificatePage(certificateOf(made, all, seen()))
  const file = join(temporary(), 'certificate.html')
  writeFileSync(file, page)
  const browser = await openBrowser()
  try {
    const tab = await browser.newPage({ viewport: { width: 1_000, height: 900 } })
    const [asked, said]: [string[], string[]] = [[], []]
    tab.on('request', request => void asked.push(request.url()))
    tab.on('console', message => void said.push(message.text()))
    tab.on('pageerror', error => void said.push(error.message))
    await tab.goto(pathToFileURL(file).href)
    expect(await tab.title()).toBe('NOT PROVED: cutover run-1')
    expect(asked).toEqual([pathToFileURL(file).href])
    expect(said).toEqual([])
    const verdict = tab.locator('.verdict h1')
    expect(await verdict.textContent()).toBe('NOT PROVED')
    // the style is let in by its hash: without it nothing has a border
    const border = "getComputedStyle(document.querySelector('.verdict')).borderTopStyle"
    expect(await tab.evaluate(border)).toBe('solid')
    expect(await tab.locator('#unexplained li').allTextContents()).toEqual([
      `changed ${EVIL}`,
      `group ${EVIL} was not moved: ${EVIL}`,
    ])
    expect(await tab.locator('img, script').count()).toBe(0)
    const facts = await tab.locator('.facts').innerText()
    expect(facts).toMatch(/way back\s+FREE: free: kmig cutover rollback/)
    expect(facts).toMatch(/write pause\s+2\.5 s/)
    expect(facts).toMatch(/transactions\s+NOT ASKED: brokers before 3\.0/)
    for (const place of ['.verdict h1', '#unexplained', '.facts'])
      expect((await tab.locator(place).boundingBox())?.y).toBeLessThan(900)
    expect(await tab.locator('#contents tbody tr').count()).toBe(2)
    // what the page forbids itself holds against a script that is put into it
    await tab.setContent(page.replace('<body>', `<body>${EVIL}`))
    expect(await tab.title()).toBe('NOT PROVED: cutover run-1')
  } finally {
    await browser.close()
  }
})
