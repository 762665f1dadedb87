-- Turn a page source into elements that every format knows, whichever program reads it.
--
-- Notebook outputs stand in the source as raw HTML. Here they become native tables, figures and
-- lists; each format then gets what it alone needs: scrolling boxes and header scopes on the web,
-- alt text and type sizes in PDF, paragraph styles in Word. Nothing here may fetch anything.
--
-- The tables that evalkit itself writes hold nothing but text, and many hold thousands of cells. They are read
-- here into sheets: plain Lua tables, built like pandoc's Table, whose cells know their text. Every rule below
-- serves both, and only what is left to write is turned into pandoc's elements, or for the web into text.

local format = FORMAT:match('typst') and 'typst' or FORMAT:match('docx') and 'docx' or 'html'

local PAGE_WIDTH = 468                -- points: US Letter less two margins of one inch
local TYPE_SIZES = { 9, 8.5, 8, 7.5 } -- points, the largest first; smaller type is not read
local LETTER = 0.56                   -- ems: width of a letter of the text face, with room for bold headings
local GUTTER = 10                     -- points between the columns of a table
local WORD_LETTER = 5.6               -- points: width of a letter in a table of a Word document
local NUMBER = 20                     -- letters: a longer cell is a sentence, and may be broken
local PROSE_LINE = 26                 -- letters: the shortest line in which a sentence can be read
local PROSE_ROWS = 5                  -- lines that a cell may take before its column gets more room
local PROSE_WISH = 44                 -- letters: the longest line that a cell asks for
local LONG = 30                       -- rows from which a table on the web scrolls in its box
local WIDE = 8                        -- columns from which a web page is printed with smaller tables

local function typst_string(text)
  return '"' .. text:gsub('\\', '\\\\'):gsub('"', '\\"'):gsub('[\r\n]+', ' ') .. '"'
end

local function typst(code)
  return pandoc.RawBlock('typst', code)
end

-- first pass: raw HTML becomes native; what cannot is dropped, so no script ever arrives

local OFFLINE = {}                    -- the files that reading HTML may open
local SHEET = 'sheet'                 -- the format of a raw block that stands for one of our tables
local sheets = {}

local ENTITIES = { ['&amp;'] = '&', ['&lt;'] = '<', ['&gt;'] = '>', ['&quot;'] = '"', ['&#x27;'] = "'" }
local SIDES = { left = 'AlignLeft', right = 'AlignRight' }
local HEAD_CELL = '<th scope="col" style="text%-align:(%a+)">([^<>]*)</th>()'
local CELL = '<td style="text%-align:(%a+)">([^<>]*)</td>()'
local WHOLE = '^<table>(.-)<thead><tr>(.-)</tr></thead><tbody>(.-)</tbody></table>()'

-- The text that a cell says; nil where it says it in a way that we do not write.
local function unescape(text)
  if text:find('&', 1, true) then
    local strange = false
    text = text:gsub('&[^;&]*;?', function(entity)
      strange = strange or not ENTITIES[entity]
      return ENTITIES[entity]
    end)
    if strange then
      return nil
    end
  end
  return text:find('%s') and text:gsub('[ \t\r\n]+', ' '):gsub('^ ', ''):gsub(' $', '') or text
end

local function read_row(html, pattern)
  local cells, at = {}, 1
  while at <= #html do
    local from, _, side, text, next_at = html:find(pattern, at)
    local said = from == at and SIDES[side] and unescape(text)
    if not said then
      return nil
    end
    cells[#cells + 1] = { text = said, alignment = SIDES[side], col_span = 1, row_span = 1 }
    at = next_at
  end
  return { cells = cells }
end

-- Read HTML that begins with one of our tables; nil for any other. Returns the sheet and what follows it.
local function read_sheet(html)
  local above, head_html, body_html, after = html:match(WHOLE)
  local caption = above == '' and '' or above and above:match('^<caption>([^<>]*)</caption>$')
  local name = caption and unescape(caption)
  local head = name and read_row(head_html, HEAD_CELL)
  if not head or #head.cells == 0 then
    return nil
  end
  local rows, at = {}, 1
  while at <= #body_html do
    local from, _, row_html, next_at = body_html:find('<tr>(.-)</tr>()', at)
    local row = from == at and read_row(row_html, CELL)
    if not row or #row.cells ~= #head.cells then
      return nil
    end
    rows[#rows + 1] = row
    at = next_at
  end
  local specs = pandoc.List(head.cells):map(function(cell) return { cell.alignment } end)
  local sheet = { name = name, colspecs = specs, head = { rows = { head } }, bodies = { { body = rows } } }
  return sheet, html:sub(after)
end

local function raw_block(raw)
  if raw.format == SHEET then
    return {}                         -- nobody but this filter writes these
  elseif not raw.format:match('^html') then
    return nil
  end
  local sheet, rest = read_sheet(raw.text)
  if not sheet then
    return pandoc.read(raw.text, 'html', nil, OFFLINE).blocks
  end
  table.insert(sheets, sheet)
  local blocks = pandoc.List { pandoc.RawBlock(SHEET, tostring(#sheets)) }
  if rest ~= '' then
    blocks:extend(pandoc.read(rest, 'html', nil, OFFLINE).blocks)
  end
  return blocks
end

-- The templates of the other formats write these lines below the title; Word has no template.
local function lines_below_the_title(document)
  if format ~= 'docx' then
    return
  end
  local meta = document.meta
  local function insert(words, style)
    document.blocks:insert(1, pandoc.Div({ pandoc.Para(words) }, { ['custom-style'] = style }))
  end
  if meta.synthetic then
    local words = pandoc.List { pandoc.Strong { pandoc.Str('Synthetic data.') }, pandoc.Space() }
    words:extend(meta.synthetic)
    insert(words, 'Mark')
  end
  if meta.kicker then
    insert(meta.kicker, 'Author')
  end
  return document
end

local function raw_inline(raw)
  if raw.format:match('^html') then
    return raw.text:match('^<br') and pandoc.LineBreak() or {}
  end
end

-- second pass: no outside request, no foreign scheme, one order of headings

local function image(picture)
  if picture.src:match('^%a[%w+.-]*:') or picture.src:match('^//') then
    return picture.caption
  end
  if format == 'typst' then
    local alt = pandoc.utils.stringify(picture.caption)
    return pandoc.RawInline('typst', ('#image(%s, alt: %s, width: 100%%)'):format(
      typst_string(picture.src), typst_string(alt)))
  end
  picture.attributes.width = nil
  picture.attributes.height = nil
  picture.title = ''
  if format == 'docx' then
    picture.attributes.width = '6.5in'
  end
  return picture
end

local function link(anchor)
  local scheme = anchor.target:match('^(%a[%w+.-]*):')
  local leads_out = scheme and ({ http = true, https = true, mailto = true })[scheme:lower()]
  if leads_out or (not scheme and format == 'html') or anchor.target:match('^#') then
    return anchor
  end
  return anchor.content
end

-- A printed page cannot jump to a place that only the website has.
local function links_that_lead_somewhere(document)
  local places = {}
  local function remember(element)
    places[element.identifier] = true
  end
  document.blocks:walk { Header = remember, Div = remember, Span = remember, Figure = remember }
  document.blocks = document.blocks:walk {
    Link = function(anchor)
      if anchor.target:match('^#') and not places[anchor.target:sub(2)] then
        return anchor.content
      end
    end,
  }
  return document
end

-- The title is the only heading of level 1 on the web and no heading in a document.
local function ordered_headings(document)
  local last = 1
  local contents = {}
  document.blocks = document.blocks:walk {
    traverse = 'topdown',
    Header = function(heading)
      local level = math.min(math.max(heading.level, 2), last + 1)
      last = level
      if level == 2 then
        table.insert(contents, pandoc.MetaMap {
          anchor = pandoc.MetaString(heading.identifier),
          label = pandoc.MetaInlines(heading.content),
        })
      end
      heading.level = format == 'html' and level or level - 1
      return heading, false
    end,
  }
  if format == 'html' then
    document.meta.contents = #contents > 2 and pandoc.MetaList(contents) or nil
    return document
  end
  return links_that_lead_somewhere(document)
end

-- third pass: tables and boxes

local function text_of(cell)
  return cell.text or pandoc.utils.stringify(cell.contents)
end

local function name_of(sheet)
  return sheet.name or pandoc.utils.stringify(sheet.caption.long)
end

-- A number, a share, an interval or a dash: "61.8%", "−3.1 to 4.0", "2018–19", "12 of 40".
local function reads_as_number(text)
  local rest = text:gsub('points?', ''):gsub('to', ''):gsub('of', ''):gsub('–', ''):gsub('−', '')
  return text ~= '' and utf8.len(text) <= NUMBER and not rest:match('[%a\128-\255]') and (text:match('%d') or text == '–')
end

local function each_row(sheet, visit)
  for _, row in ipairs(sheet.head.rows) do
    visit(row, true)
  end
  for _, body in ipairs(sheet.bodies) do
    for _, row in ipairs(body.body) do
      visit(row, false)
    end
  end
end

local function has_spans(sheet)
  local found = false
  each_row(sheet, function(row)
    for _, cell in ipairs(row.cells) do
      found = found or cell.col_span > 1 or cell.row_span > 1
    end
    found = found or #row.cells ~= #sheet.colspecs
  end)
  return found
end

local NO_BREAK = '\u{a0}'

-- Tell whether an interval in brackets is still open after a word.
local function is_inside(inside, word)
  local opens = word:match('^%([%d+]') or word:match('^%(−%d')
  return (inside or opens) and not word:match('%)')
end

-- An interval in brackets stays on one line: "+18.1 points (10.0 to 25.9)" breaks before its bracket.
local function keep_intervals(inlines)
  local inside = false
  for place, inline in ipairs(inlines) do
    if inline.t == 'Str' then
      inside = is_inside(inside, inline.text)
    elseif inline.t == 'Space' and inside then
      inlines[place] = pandoc.Str(NO_BREAK)
    end
  end
  return inlines
end

local function bind_intervals(cell)
  if not cell.text then
    cell.contents = cell.contents:walk { Inlines = keep_intervals }
  elseif cell.text:find('(', 1, true) then
    local inside = false
    cell.text = cell.text:gsub('([^ ]+)( ?)', function(word, space)
      inside = is_inside(inside, word)
      return word .. (inside and space ~= '' and NO_BREAK or space)
    end)
  end
end

local function bind(cell)
  if cell.text then
    cell.text = cell.text:gsub(' ', NO_BREAK)
  else
    cell.contents = cell.contents:walk { Space = function() return pandoc.Str(NO_BREAK) end }
  end
end

local function mark(cell, class)
  if cell.text then
    cell.class = class
  else
    cell.classes:insert(class)
  end
end

-- Numbers are set to the right and never broken over two lines.
local function set_numbers(sheet)
  local all = {}
  each_row(sheet, function(row, is_head)
    for column, cell in ipairs(row.cells) do
      local text = text_of(cell)
      local number = reads_as_number(text)
      if number and format == 'html' then
        mark(cell, 'number')
      elseif format == 'html' and #text > NUMBER then
        mark(cell, #text > PROSE_WISH and 'words' or 'phrase')
      elseif number then
        bind(cell)
      end
      if not number then
        bind_intervals(cell)
      end
      if not is_head and text ~= '' then
        all[column] = (all[column] == nil or all[column]) and number
      end
    end
  end)
  for column = 2, #sheet.colspecs do
    if all[column] then
      sheet.colspecs[column] = { 'AlignRight', sheet.colspecs[column][2] }
      each_row(sheet, function(row)
        row.cells[column].alignment = 'AlignRight'
      end)
    end
  end
end

-- How narrow each column can be, in letters: its longest word, and for prose a line that can be read.
local function narrowest(sheet)
  local letters = {}
  each_row(sheet, function(row)
    for column, cell in ipairs(row.cells) do
      local text = text_of(cell)
      local least = math.min(math.ceil((utf8.len(text) or #text) / PROSE_ROWS), PROSE_LINE)
      for word in text:gmatch('%S+') do
        least = math.max(least, utf8.len(word) or #word)
      end
      letters[column] = math.max(letters[column] or 1, least)
    end
  end)
  return letters
end

local function width(letters, columns, size)
  local total = 0
  for _, column in ipairs(columns) do
    total = total + (letters[column] or 1) * LETTER * size + GUTTER
  end
  return total
end

local function type_size(letters, columns)
  for _, size in ipairs(TYPE_SIZES) do
    if width(letters, columns, size) <= PAGE_WIDTH then
      return size
    end
  end
end

-- Deal the columns out to parts that each fit the page; the first column stands in every part.
local function parts_that_fit(letters, count)
  local size = TYPE_SIZES[2]
  local function deal(limit)
    local parts = { { 1 } }
    for column = 2, count do
      local part = parts[#parts]
      table.insert(part, column)
      if #part > 2 and width(letters, part, size) > limit then
        table.remove(part)
        table.insert(parts, { 1, column })
      end
    end
    return parts
  end
  local parts = deal(PAGE_WIDTH)
  local limit = PAGE_WIDTH
  -- even the parts out: the narrowest limit that needs no further part
  while #deal(limit - 10) == #parts do
    limit = limit - 10
  end
  return deal(limit)
end

local function pick(sheet, columns, name)
  local specs = pandoc.List(columns):map(function(column) return sheet.colspecs[column] end)
  if sheet.name then
    local function chosen(row)
      return { cells = pandoc.List(columns):map(function(column) return row.cells[column] end) }
    end
    local heads, rows = pandoc.List(sheet.head.rows), pandoc.List(sheet.bodies[1].body)
    local body = { body = rows:map(chosen) }
    return { name = name, colspecs = specs, head = { rows = heads:map(chosen) }, bodies = { body } }
  end
  local part = sheet:clone()
  part.colspecs = specs
  each_row(part, function(row)
    local cells = row.cells
    row.cells = pandoc.List(columns):map(function(column) return cells[column] end)
  end)
  part.caption.long = { pandoc.Plain { pandoc.Str(name) } }
  return part
end

local function names_its_rows(sheet)
  local met, unique = {}, true
  each_row(sheet, function(row)
    local name = text_of(row.cells[1])
    unique = unique and not met[name]
    met[name] = true
  end)
  return unique
end

-- Where the first column does not tell the rows apart, a number does.
local function number_the_rows(sheet)
  local number = -1
  each_row(sheet, function(row)
    number = number + 1
    local label = number == 0 and 'Row' or tostring(number)
    local cell = { text = label, alignment = 'AlignLeft', col_span = 1, row_span = 1 }
    table.insert(row.cells, 1, sheet.name and cell or pandoc.Cell({ pandoc.Plain(label) }, 'AlignLeft'))
  end)
  sheet.colspecs:insert(1, { 'AlignLeft' })
  return sheet
end

-- A sheet too wide for paper becomes several below each other.
local function split(sheet)
  local columns = {}
  for column = 1, #sheet.colspecs do
    columns[column] = column
  end
  local letters = narrowest(sheet)
  local size = type_size(letters, columns)
  if size or has_spans(sheet) or #columns < 3 then
    return { sheet }, size or TYPE_SIZES[#TYPE_SIZES]
  end
  if #sheet.head.rows == 1 and not names_its_rows(sheet) then
    sheet = number_the_rows(sheet)
    letters = narrowest(sheet)
  end
  local parts = parts_that_fit(letters, #sheet.colspecs)
  local name = name_of(sheet)
  name = name ~= '' and name .. ', ' or ''
  local sheets = {}
  for number, part in ipairs(parts) do
    sheets[number] = pick(sheet, part, ('%spart %d of %d'):format(name, number, #parts))
  end
  return sheets, TYPE_SIZES[2]
end

-- A column of words on the left names its row; a screen reader says it with every cell.
local function has_named_rows(sheet)
  return #sheet.colspecs > 1 and sheet.colspecs[1][1] ~= 'AlignRight'
end

local function name_the_rows(sheet)
  if not has_named_rows(sheet) then
    return sheet
  end
  for _, body in ipairs(sheet.bodies) do
    body.row_head_columns = 1
    for _, row in ipairs(body.body) do
      if row.cells[1] then
        row.cells[1].attributes.scope = 'row'
      end
    end
  end
  return sheet
end

local ESCAPES = { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;' }

local function escape(text)
  return (text:gsub('[&<>]', ESCAPES))
end

local CSS = { AlignLeft = 'left', AlignRight = 'right' }

local function row_as_html(row, is_head, is_named)
  local lines = { '<tr>' }
  for column, cell in ipairs(row.cells) do
    local scope = is_head and 'col' or is_named and column == 1 and 'row'
    local tag = scope and 'th' or 'td'
    local class = cell.class and (' class="%s"'):format(cell.class) or ''
    lines[#lines + 1] = ('<%s%s style="text-align: %s;"%s>%s</%s>'):format(
      tag, class, CSS[cell.alignment], scope and (' scope="%s"'):format(scope) or '', escape(cell.text), tag)
  end
  lines[#lines + 1] = '</tr>'
  return table.concat(lines, '\n')
end

local function sheet_as_html(sheet)
  local is_named = has_named_rows(sheet)
  local lines = { '<table>' }
  if sheet.name ~= '' then
    lines[2] = '<caption>' .. escape(sheet.name) .. '</caption>'
  end
  lines[#lines + 1] = '<thead>\n' .. row_as_html(sheet.head.rows[1], true, is_named) .. '\n</thead>\n<tbody>'
  for _, row in ipairs(sheet.bodies[1].body) do
    lines[#lines + 1] = row_as_html(row, false, is_named)
  end
  lines[#lines + 1] = '</tbody>\n</table>'
  return pandoc.RawBlock('html', table.concat(lines, '\n'))
end

local function table_on_the_web(sheet)
  local name = name_of(sheet)
  local rows = 0
  each_row(sheet, function() rows = rows + 1 end)
  local classes = pandoc.List { 'table-box' }
  if rows > LONG then
    classes:insert('long')
  end
  if #sheet.colspecs > WIDE then
    classes:insert('wide')
  end
  local inside = sheet.name and sheet_as_html(sheet) or name_the_rows(sheet)
  return pandoc.Div({ inside }, pandoc.Attr('', classes, {
    { 'role', 'region' }, { 'tabindex', '0' }, { 'aria-label', name ~= '' and name or 'Table' },
  }))
end

local function bold(block)
  block.content = { pandoc.Strong(block.content) }
  return block
end

-- Share the page out among the columns: first what each needs, then by what it still wishes for.
local function give_widths(sheet, letter)
  local least, wish, least_sum, wish_sum = narrowest(sheet), {}, 0, 0
  each_row(sheet, function(row)
    for column, cell in ipairs(row.cells) do
      wish[column] = math.max(wish[column] or 0, math.min(utf8.len(text_of(cell)) or 0, PROSE_WISH))
    end
  end)
  for column = 1, #sheet.colspecs do
    least[column] = (least[column] or 1) * letter + GUTTER
    wish[column] = math.max((wish[column] or 1) * letter + GUTTER, least[column])
    least_sum, wish_sum = least_sum + least[column], wish_sum + wish[column]
  end
  local spare = math.max(PAGE_WIDTH - least_sum, 0)
  local share = wish_sum > least_sum and math.min(spare / (wish_sum - least_sum), 1) or 0
  local taken = least_sum + share * (wish_sum - least_sum)
  for column, spec in ipairs(sheet.colspecs) do
    sheet.colspecs[column] = { spec[1], (least[column] + share * (wish[column] - least[column])) / taken }
  end
  return sheet
end

-- Turn what was read as a sheet into pandoc's own table.
local function native(sheet)
  if not sheet.name then
    return sheet
  end
  local function row(read)
    local cells = {}
    for column, cell in ipairs(read.cells) do
      cells[column] = pandoc.Cell(cell.text == '' and {} or { pandoc.Plain(cell.text) }, cell.alignment)
    end
    return pandoc.Row(cells)
  end
  local body = { attr = pandoc.Attr(), head = {}, body = {}, row_head_columns = 0 }
  for place, read in ipairs(sheet.bodies[1].body) do
    body.body[place] = row(read)
  end
  local caption = { long = sheet.name == '' and {} or { pandoc.Plain(sheet.name) } }
  local head = pandoc.TableHead { row(sheet.head.rows[1]) }
  return pandoc.Table(caption, sheet.colspecs, head, { body }, pandoc.TableFoot())
end

local function table_on_paper(sheet, size)
  give_widths(sheet, LETTER * size)
  sheet = native(sheet)
  for _, row in ipairs(sheet.head.rows) do
    for _, cell in ipairs(row.cells) do
      cell.contents = cell.contents:walk { Plain = bold, Para = bold }
    end
  end
  return { typst(('#[\n#set text(size: %spt)'):format(size)), sheet, typst(']') }
end

local function set_table(sheet)
  for column, spec in ipairs(sheet.colspecs) do
    sheet.colspecs[column] = { spec[1] }   -- widths come from the words, not from how the table was written
  end
  if not has_spans(sheet) then
    set_numbers(sheet)
  end
  if format == 'html' then
    return table_on_the_web(sheet), false
  end
  local sheets, size = split(sheet)
  local blocks = pandoc.List()
  for _, part in ipairs(sheets) do
    blocks:extend(format == 'typst' and table_on_paper(part, size)
      or { native(give_widths(part, WORD_LETTER)) })
  end
  return blocks, false
end

local function set_sheet(raw)
  if raw.format == SHEET then
    return set_table(sheets[tonumber(raw.text)])
  end
end

local WORD_STYLES = { finding = 'Finding', ['table-note'] = 'Table Note' }

local function box(div)
  for class, style in pairs(WORD_STYLES) do
    if div.classes:includes(class) then
      if format == 'docx' then
        div.attributes['custom-style'] = style
        return div
      elseif format == 'typst' then
        div.content:insert(1, typst('#' .. class .. '['))
        div.content:insert(typst(']'))
        return div.content
      end
    end
  end
end

-- On a phone a chart's lettering is small: what it says can be read there in words.
local function figure(picture)
  if format ~= 'html' then
    return
  end
  local alt = ''
  picture:walk { Image = function(found) alt = pandoc.utils.stringify(found.caption) end }
  if alt ~= '' then
    return {
      picture,
      pandoc.RawBlock('html', '<details class="in-words"><summary>This picture in words</summary>'),
      pandoc.Para { pandoc.Str(alt) },
      pandoc.RawBlock('html', '</details>'),
    }
  end
end

-- The note under a table is marked in the notebook by <small>.
local function note(paragraph)
  local only = #paragraph.content == 1 and paragraph.content[1]
  if only and only.t == 'Span' and only.classes:includes('small') then
    return pandoc.Div({ pandoc.Para(only.content) }, pandoc.Attr('', { 'table-note' }))
  end
end

return {
  { RawBlock = raw_block, RawInline = raw_inline },
  { Para = note, Plain = note },
  { Image = image, Link = link, Pandoc = ordered_headings },
  { Pandoc = lines_below_the_title },
  { traverse = 'topdown', RawBlock = set_sheet, Table = set_table, Figure = figure, Div = box },
}
