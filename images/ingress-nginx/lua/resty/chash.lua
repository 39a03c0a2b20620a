-- Stands in for resty.chash: consistent hashing on a crc32 ring.
-- Used API: chash:new(nodes), :find(key), :reinit(nodes), field .nodes
local setmetatable, pairs, tostring = setmetatable, pairs, tostring
local floor, sort = math.floor, table.sort
local crc32 = ngx.crc32_long
local POINTS = 160

local _M = {}
local mt = { __index = _M }

local function fill(self, nodes)
  local copy, ring = {}, {}
  for id, weight in pairs(nodes) do
    copy[id] = weight
    for i = 1, POINTS * weight do
      ring[#ring + 1] = { h = crc32(ngx.md5(id .. "#" .. i)), id = id }
    end
  end
  sort(ring, function(a, b)
    if a.h == b.h then return a.id < b.id end
    return a.h < b.h
  end)
  self.nodes, self.ring = copy, ring
end

function _M.new(_, nodes)
  local self = setmetatable({}, mt)
  fill(self, nodes)
  return self
end

function _M.reinit(self, nodes)
  fill(self, nodes)
end

function _M.find(self, key)
  local ring = self.ring
  local n = #ring
  if n == 0 then return nil end
  local h = crc32(ngx.md5(tostring(key)))
  local lo, hi = 1, n
  while lo < hi do
    local mid = floor((lo + hi) / 2)
    if ring[mid].h < h then lo = mid + 1 else hi = mid end
  end
  if ring[lo].h < h then lo = 1 end
  return ring[lo].id, lo
end

return _M
