-- Stands in for resty.roundrobin: smooth weighted round robin.
-- Used API: roundrobin:new(nodes), :find(), :reinit(nodes), field .nodes
local setmetatable, pairs = setmetatable, pairs
local random, sort = math.random, table.sort

local _M = {}
local mt = { __index = _M }

local function fill(self, nodes)
  local copy, list, total = {}, {}, 0
  for id, weight in pairs(nodes) do
    copy[id] = weight
    if weight > 0 then
      list[#list + 1] = { id = id, weight = weight, current = 0 }
      total = total + weight
    end
  end
  sort(list, function(a, b) return a.id < b.id end)
  self.nodes, self.list, self.total = copy, list, total
  -- start at a random place so that workers do not move in step
  if #list > 1 then
    for _ = 1, random(#list) do self:find() end
  end
end

function _M.new(_, nodes)
  local self = setmetatable({}, mt)
  fill(self, nodes)
  return self
end

function _M.reinit(self, nodes)
  fill(self, nodes)
end

function _M.find(self)
  local best
  local list = self.list
  for i = 1, #list do
    local n = list[i]
    n.current = n.current + n.weight
    if not best or n.current > best.current then best = n end
  end
  if not best then return nil end
  best.current = best.current - self.total
  return best.id
end
_M.next = _M.find

return _M
